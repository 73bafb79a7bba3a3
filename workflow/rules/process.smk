# The process that runs Snakemake: how deep and large its graph may become, and what the nodes that it starts inherit.
import atexit
import gc
import os
import sys

from snakemake.settings.enums import Quietness

from opsft_flow.machine.gpus import SHARES
from opsft_flow.machine.inherited import forget_inherited
from opsft_flow.machine.launch import FORK
from opsft_flow.machine.runtime import HEAD, announce_head
from opsft_flow.machine.stale_locks import remove_stale_locks
from opsft_flow.machine.unseen import FOLDER
from opsft_flow.screen.closing import closing_lines
from opsft_flow.screen.cluster import cluster_lines

forget_inherited()

# A chain of unrolled iterations is as deep as it is long: Python's own limit ends it at about 470 jobs.
sys.setrecursionlimit(100_000)
# The graph is millions of objects that stay to the end: looking for garbage among them finds none, and taking them apart serves nobody.
gc.set_threshold(100_000, 20, 100)
atexit.register(gc.freeze)

os.environ.update(PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])))
os.environ[FOLDER] = f"{RESULTS}/.unseen"


def closing():
    """What comes last on the screen of a run of the whole sweep; nothing where something else was asked for."""
    return closing_lines(SUMMARY) if set(workflow.dag_settings.targets) <= {"all"} else []


def planned():
    """What comes last on the screen of a dry run: what `prune` would drop, and what a cluster would be asked for."""
    lines = would_prune() if "prune" in workflow.dag_settings.targets else []
    if workflow.resource_settings.nodes is None:
        return lines
    gpus = {node: resources_of(node, "gpu") for node in ("generate", "sft")}
    return lines + cluster_lines(workflow.dag.needrun_jobs(), workflow._localrules, gpus)


# What is kept in memory for the nodes of this machine ends with this process; a job on a cluster is on its own.
if workflow.is_main_process:
    remove_stale_locks()
    announce_head()
    os.environ[FORK] = str(int(PLAN.config["warm"]["imports"]))
    os.environ[SHARES] = str(PLAN.config["resources"]["gpu_shares"])
elif workflow.remote_exec:
    os.environ.pop(HEAD, None)
    os.environ.pop(SHARES, None)

# A dry run that is to be quiet about its jobs ends with their counts; without this, Snakemake formats every one of them for nothing.
if workflow.output_settings.dryrun and workflow.output_settings.quiet == {Quietness.RULES}:
    workflow.output_settings.quiet = {Quietness.RULES, Quietness.PROGRESS}
