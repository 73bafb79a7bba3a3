# What a job asks for (threads, memory, time, GPUs, machines, its turn), and how many GPUs this machine has to give.
from opsft_flow.machine.gpus import find_gpus

# On this machine as many GPU jobs run at once as it has GPUs or shares of them, or one where it has none; `--resources gpu=` says
# otherwise. A number of nodes means a cluster, whose GPUs are elsewhere.
if workflow.is_main_process and workflow.resource_settings.nodes is None and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", max(1, len(find_gpus())))


def resources_of(node, key):
    """A resource of a kind of node, as the configuration gives it."""
    return PLAN.config["resources"][node][key]


def each_attempt(node, key):
    """A resource of which each further attempt gets as much more, as a cluster's job that was killed for want of it needs."""
    amount = resources_of(node, key)
    # A function of the job costs time for each of thousands: only on a cluster.
    return amount if workflow.resource_settings.nodes is None else signed(lambda wildcards, attempt: attempt * amount)


def gpus_to_generate():
    """The GPUs of a job that samples a place; none where it puts together what shards have sampled."""
    gpus = resources_of("generate", "gpu")
    # A function of the job costs time for each of thousands.
    return (
        gpus
        if resources_of("generate", "shards") == 1
        else signed(lambda wildcards, input: 0 if input.shards else gpus)
    )


def machines_of(node):
    """What a job on several machines asks of SLURM, beyond what a job on one does."""
    gpus, nodes = resources_of(node, "gpu"), resources_of(node, "nodes")
    if nodes == 1:
        return {}
    # With `mpi` the executor leaves srun to the command; without `tasks_per_gpu` it would start `tasks` for each GPU.
    several = {"nodes": nodes, "tasks": nodes, "mpi": "srun", "tasks_per_gpu": 0}
    return several | ({"slurm_extra": f"--gpus-per-node={gpus}"} if gpus else {})


def sampling_priority():
    """Where policies are dropped, benchmarks go before training rollouts: a policy goes once it has been measured."""
    return 0 if PLAN.config["keep"] == "all" else signed(lambda wildcards: 5 if "/eval/" in wildcards.place else 0)
