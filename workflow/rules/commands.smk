# The command line of a node: its script, started by the right interpreter, on as many GPUs and machines as it is given.
import shlex
import subprocess
import sys

from opsft_flow.graph.node_settings import canonical

SCRIPTS = ROOT / "workflow" / "scripts"
# Nodes run in the interpreter that runs Snakemake, unless Snakemake deploys an environment of their own for them.
DEPLOYED = {str(method) for method in workflow.deployment_settings.deployment_method}
PYTHON = "python" if DEPLOYED else sys.executable


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


def started_by(start, options):
    """A function of the wildcards that adds options to a command."""

    def command(wildcards, input):
        values = {name: value(wildcards) if callable(value) else value for name, value in options.items()}
        return " ".join([start, *(f"--{name} {shlex.quote(str(value))}" for name, value in values.items())])

    return signed(command)


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


def with_snakemake(script):
    """How a script is started that asks Snakemake itself: by the interpreter that runs this workflow."""
    return f"{path_of_modules()}{shlex.quote(sys.executable)} -P {shlex.quote(str(SCRIPTS / f'{script}.py'))}"


def python_module(module):
    """A Python module of this project, started where the working directory hides no package."""
    return f"{path_of_modules()}{shlex.quote(PYTHON)} -P -m {module}"


def path_of_modules():
    """What a command begins with that imports this project's modules."""
    # Snakemake takes the variable from a job in an environment that it deploys.
    return f"env PYTHONPATH={shlex.quote(str(ROOT))} " if DEPLOYED else ""


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


def would_prune():
    """What `prune` would drop, as it says it itself; it asks Snakemake in a process of its own."""
    told = {"workflow": this_workflow(), "keep": PLAN.config["keep"]}
    options = [part for name, value in told.items() for part in (f"--{name}", canonical(value))]
    command = [*shlex.split(with_snakemake("prune")), "--settings", "-", *options, "--dry-run"]
    done = subprocess.run(command, input=PLAN.summary_settings(), capture_output=True, text=True)
    return (done.stdout + done.stderr).splitlines()
