# The plan of the sweep, and how a script is started. Functions only.
import atexit
import gc
import hashlib
import importlib.util
import inspect
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.settings.enums import Quietness
from snakemake.sourcecache import LocalSourceFile

if not isinstance(workflow.current_basedir, LocalSourceFile):
    raise WorkflowError(
        f"{workflow.current_basedir.get_path_or_uri(secret_free=True)} is no folder on disk, and the nodes are scripts that need "
        "one; clone the repository and give the path of its Snakefile"
    )

# The folder of this workflow's Snakefile, also where another workflow uses this one as a module.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
sys.path.insert(0, str(ROOT))

from opsft_flow.code_record import record_code
from opsft_flow.config import ConfigError
from opsft_flow.files import DiskFull, check_room
from opsft_flow.keep import Keeper, check_uses, policy_uses
from opsft_flow.machine.gpus import find_gpus
from opsft_flow.places import parse_iteration
from opsft_flow.plan import Plan, canonical
from opsft_flow.points import Point
from opsft_flow.machine.launch import FORK
from opsft_flow.machine.runs import announce_run
from opsft_flow.machine.runtime import HEAD, announce_head
from opsft_flow.machine.stale_locks import record_locks, remove_stale_locks
from opsft_flow.machine.unseen import FOLDER, forget_finished

# A chain of unrolled iterations is as deep as it is long: Python's own limit ends it at about 470 jobs.
sys.setrecursionlimit(100_000)
# The graph is millions of objects that stay to the end: looking for garbage among them finds none, and taking them apart serves nobody.
gc.set_threshold(100_000, 20, 100)
atexit.register(gc.freeze)

# Of Snakemake's records of 1,000 jobs; on a full disk it fails with a traceback, and may lose them.
ROOM_FOR_RECORDS = 4 << 20

try:
    check_room(Path.cwd(), ROOM_FOR_RECORDS, "what Snakemake writes to .snakemake")
    PLAN = Plan(config)
except (ConfigError, DiskFull) as error:
    raise WorkflowError(str(error)) from None

RESULTS = PLAN.results
if workflow.modifier.path_modifier.replace_prefix(RESULTS) != RESULTS:
    raise WorkflowError(
        "prefix and replace_prefix of a module move the paths that Snakemake sees, and not those that the nodes read and write; "
        "set `results` in the module's configuration"
    )
LOGS = f"{RESULTS}/logs"
SUMMARY = PLAN.path(PLAN.summary)
KEEPER = Keeper(RESULTS, PLAN.config["keep"], f"{LOGS}/keep.log")
CODES = f"{LOGS}/code"
SCRIPTS = ROOT / "workflow" / "scripts"
# Nodes run in the interpreter that runs Snakemake, unless Snakemake deploys an environment of their own for them.
DEPLOYED = {str(method) for method in workflow.deployment_settings.deployment_method}
PYTHON = "python" if DEPLOYED else sys.executable
ENGINE_ENV = f"../../envs/{'vllm' if 'vllm' in PLAN.packages() else 'torch'}.yaml"
os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
os.environ[FOLDER] = f"{RESULTS}/.unseen"
# What is kept in memory for the nodes of this machine ends with this process; a job on a cluster is on its own.
if workflow.is_main_process:
    remove_stale_locks()
    announce_head()
    os.environ[FORK] = str(int(PLAN.config["warm"]["imports"]))
elif workflow.remote_exec:
    os.environ.pop(HEAD, None)

# On this machine as many GPU jobs run at once as it has GPUs, or one where it has none; `--resources gpu=` says otherwise. A number of nodes
# means a cluster, whose GPUs are elsewhere.
if workflow.is_main_process and workflow.resource_settings.nodes is None and "gpu" not in workflow.global_resources:
    workflow.register_resource("gpu", max(1, len(find_gpus())))

# A dry run that is to be quiet about its jobs ends with their counts; without this, Snakemake formats every one of them for nothing.
if workflow.output_settings.dryrun and workflow.output_settings.quiet == {Quietness.RULES}:
    workflow.output_settings.quiet = {Quietness.RULES, Quietness.PROGRESS}


wildcard_constraints:
    place=PLAN.place_pattern(),
    undecided=PLAN.undecided_pattern(),
    point=PLAN.point_pattern(),
    iteration=r"[1-9][0-9]*",
    shard=r"[1-9][0-9]*",
    shards=r"[1-9][0-9]*",
    model="|".join(map(re.escape, PLAN.config["models"])),
    problems="|".join(map(re.escape, PLAN.config["problems"])),


def python_module(module):
    """A Python module of this project, started where the working directory hides no package."""
    return f"{path_of_modules()}{shlex.quote(PYTHON)} -P -m {module}"


def path_of_modules():
    """What a command begins with that imports this project's modules."""
    # Snakemake takes the variable from a job in an environment that it deploys.
    return f"env PYTHONPATH={shlex.quote(str(ROOT))} " if DEPLOYED else ""


def signed(function):
    """A function of a job, with its signature beside it: Snakemake asks for it several times a job, and works it out each time."""
    function.__signature__ = inspect.signature(function)
    return function


def of_place(method):
    """A method of the plan that takes a place, as a function of the wildcards."""
    return signed(lambda wildcards: method(wildcards.place))


def of_iteration(method):
    """A method of the plan that takes the path of a point and an iteration, as a function of the wildcards."""
    return signed(lambda wildcards: method(wildcards.point, int(wildcards.iteration)))


def command_of(node, **options):
    """How the script of a node is started, as a param: a function that takes inputs is not tracked.

    `options` are those that decide how it runs and not what it computes, as values or as functions of the wildcards.
    """
    start = f"{python_module('opsft_flow.machine.launch')} {shlex.quote(str(SCRIPTS / f'{node}.py'))}"
    return started_by(start, options)


def train_command(node, **options):
    """Like `command_of`, by a process for each GPU where there are several, on one machine or more."""
    script, gpus, nodes = (
        shlex.quote(str(SCRIPTS / f"{node}.py")),
        resources_of(node, "gpu"),
        resources_of(node, "nodes"),
    )
    if nodes == 1 and gpus < 2:
        return command_of(node, **options)
    # The dashes keep torchrun from taking an option of the script for one of its own.
    torchrun = f"{python_module('torch.distributed.run')} {meeting_of(nodes)} --nproc-per-node {max(1, gpus)} --"
    start = f"{python_module('opsft_flow.machine.with_gpus')} {gpus} {torchrun} {script}"
    return started_by(start if nodes == 1 else f"{step_of(node)} {start}", options)


def meeting_of(nodes):
    """Where the processes of a training find each other: of several machines on the first, at a port that follows from the SLURM job."""
    if nodes == 1:
        return "--standalone"
    endpoint = '"$(hostname):$((20000 + SLURM_JOB_ID % 20000))"'
    return f'--nnodes {nodes} --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" --rdzv-endpoint {endpoint}'


def step_of(node):
    """The start of a command on each machine of a SLURM job. What the job has asked for is asked again: its commands are not told."""
    gpus, nodes = resources_of(node, "gpu"), resources_of(node, "nodes")
    asked = f"--cpus-per-task {resources_of(node, 'threads')}" + (f" --gpus-per-node {gpus}" if gpus else "")
    return f"srun --nodes {nodes} --ntasks {nodes} {asked} --kill-on-bad-exit"


def machines_of(node):
    """What a job on several machines asks of SLURM, beyond what a job on one does."""
    gpus, nodes = resources_of(node, "gpu"), resources_of(node, "nodes")
    if nodes == 1:
        return {}
    # With `mpi` the executor leaves srun to the command; without `tasks_per_gpu` it would start `tasks` for each GPU.
    several = {"nodes": nodes, "tasks": nodes, "mpi": "srun", "tasks_per_gpu": 0}
    return several | ({"slurm_extra": f"--gpus-per-node={gpus}"} if gpus else {})


def started_by(start, options):
    """A function of the wildcards that adds options to a command."""

    def command(wildcards, input):
        values = {name: value(wildcards) if callable(value) else value for name, value in options.items()}
        return " ".join([start, *(f"--{name} {shlex.quote(str(value))}" for name, value in values.items())])

    return signed(command)


def with_snakemake(script):
    """How a script is started that asks Snakemake itself: by the interpreter that runs this workflow."""
    return f"{path_of_modules()}{shlex.quote(sys.executable)} -P {shlex.quote(str(SCRIPTS / f'{script}.py'))}"


def this_workflow():
    """All that another Snakemake needs to decide as this one would, here, without a target."""
    return {
        "snakefile": workflow.main_snakefile,
        "config": dict(workflow.config_settings.config),
        "configfiles": [str(file) for file in workflow.config_settings.configfiles],
        "replace_workflow_config": workflow.config_settings.replace_workflow_config,
        "rerun_triggers": sorted(str(trigger) for trigger in workflow.rerun_triggers),
        "deployment": sorted(DEPLOYED),
    }


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


def sampling_priority():
    """Where policies are dropped, benchmarks go before training rollouts: a policy goes once it has been measured."""
    return 0 if KEEPER.keep == "all" else signed(lambda wildcards: 5 if "/eval/" in wildcards.place else 0)


def locks_of(persistence):
    """The names of the lock files that this run has made; none where Snakemake no longer says so: then it is unlocked by hand."""
    return [os.path.basename(path) for path in getattr(persistence, "_lockfile", {}).values()]


def samples_or_grades(job):
    """True for a job that `look_before_sampling` comes before, whatever another workflow calls its rule."""
    return any(os.path.basename(file) in ("rollouts.parquet", "verdicts.parquet") for file in job.output)


def look_before_sampling():
    """Run the check over all that the sweep needs, once for each state of the configuration; end the run where it fails.

    It is no node: as an input of every `generate` it would make each of them run again whenever the sweep grows.
    """
    for package, reason in PLAN.packages().items():
        if not DEPLOYED and importlib.util.find_spec(package) is None:
            raise WorkflowError(
                f"nothing was sampled: {reason}, which needs {package}; install it for {PYTHON} as envs/ pins it, or "
                "have Snakemake deploy it with --sdm conda"
            )
    if workflow.local_exec and resources_of("sft", "nodes") > 1:
        raise WorkflowError(
            f"nothing was sampled: resources.sft.nodes is {resources_of('sft', 'nodes')}, and this is no cluster; "
            "run with --workflow-profile profiles/slurm, or set it to 1"
        )
    settings = PLAN.check_settings()
    name = hashlib.sha256(settings.encode()).hexdigest()[:16]
    checked = f"{RESULTS}/problems/checked/{name}.json"
    if not os.path.exists(checked):
        launch = [sys.executable, "-P", "-m", "opsft_flow.machine.launch"]
        command = [*launch, str(SCRIPTS / "check.py"), "--settings", settings]
        command += ["--threads", str(resources_of("verify", "threads"))]
        outputs = ["--checked", checked, "--overlap", f"{RESULTS}/problems/overlap.csv"]
        outputs += ["--run", checked.replace(".json", ".run.json")]
        done = subprocess.run(command + outputs, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise WorkflowError(f"nothing was sampled: {done.stderr.strip()}")


def look_for_policies(uses):
    """End the run where a job needs a policy that was dropped."""
    try:
        check_uses(uses.values())
    except ValueError as error:
        raise WorkflowError(f"nothing was run: {error}") from None


def watch_policies(uses):
    """Drop policies as long as the run goes on."""
    KEEPER.start(json.loads(PLAN.summary_settings())["points"], uses, workflow.dag.finished)


def note_finished():
    """Drop what nodes have kept of their results for the case that no Snakemake would learn of them: this one has, or one before."""
    dag = workflow.dag
    if workflow.is_main_process:
        done = [job for job in dag.jobs if dag.finished(job) or not dag.needrun(job)]
        forget_finished([str(job.output[0]) for job in done if job.output])


def or_none(files):
    """A function of the wildcards that gives the one file that `files` finds for them, or `none`."""
    return lambda wildcards: "".join(files(wildcards)) or "none"


def decision_before(wildcards):
    """The decision to stop of the iteration before one that is undecided, if any."""
    point, iteration = parse_iteration(wildcards.undecided)
    return PLAN.decision(point, iteration - 1)


def budget_of(wildcards):
    """The file that holds the budget of a place of training; none where it is known from the plan."""
    return PLAN.budget_inputs(getattr(wildcards, "place", None) or f"{wildcards.point}/iter{wildcards.iteration}/train")


def base_folder(wildcards):
    """The folder of the base model's evaluation that a benchmark is compared with, or `none` for the base itself."""
    place = PLAN.base_place(wildcards.place)
    return PLAN.path(place) if place else "none"


def base_tables(wildcards):
    """The base model's rollouts and verdicts on the same benchmark; nothing for the base model itself."""
    place = PLAN.base_place(wildcards.place)
    return [PLAN.path(f"{place}/{table}.parquet") for table in ("rollouts", "verdicts")] if place else []
