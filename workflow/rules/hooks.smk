# What happens before the first job of a run, beside the jobs, and after the last.
import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from opsft_flow.examination import examine_folder
from opsft_flow.tracking import has_key
from opsft_flow.graph.code_record import record_code
from opsft_flow.graph.file_clock import check_clock
from opsft_flow.graph.scheduling import lift_default_limit
from opsft_flow.weights.keep import Keeper, check_uses, policy_uses
from opsft_flow.weights.prune import finish_dropping
from opsft_flow.integrity import Damaged
from opsft_flow.machine.runs import announce_run
from opsft_flow.machine.stale_locks import record_locks
from opsft_flow.machine.unseen import forget_finished

# Nothing reads some of the tables, and Snakemake looks at times alone: so they are looked at whenever it is called.
if workflow.is_main_process:
    for table, damage in examine_folder(SUMMARY):
        if damage:
            logger.warning(damage)

KEEPER = Keeper(RESULTS, PLAN.config["keep"], f"{LOGS}/keep.log")


onstart:
    lift_default_limit(workflow)
    record_locks(locks_of(workflow.persistence))
    # What is called by name, such as `why`, makes nothing and may run beside a sweep.
    makes = any(job.output for job in workflow.dag.needrun_jobs())
    if makes:
        announce_run(RESULTS)
        tell_what_is_made_again()
        finish_dropping_of_killed_runs()
        look_for_key()
    uses = {} if workflow.touch else policy_uses(workflow.dag.needrun_jobs(), RESULTS)
    look_for_policies(uses)
    if makes and not workflow.touch:
        look_at_clock()
    if any(map(samples_or_grades, workflow.dag.needrun_jobs())):
        look_before_sampling()
    if makes:
        record_code(CODES)
        put_overlap_in_place()
    # Last: a run that is refused here calls no `onerror`, and must not drop policies.
    if uses:
        watch_policies(uses)


onsuccess:
    KEEPER.stop()
    note_finished()


onerror:
    KEEPER.stop()
    note_finished()


def tell_what_is_made_again():
    """Say in one line that results are there and are made again, where their settings are others: an update of this workflow does that."""
    dag = workflow.dag
    changed = sum(bool(dag.reason(job).params_changed) for job in dag.needrun_jobs())
    if changed:
        logger.warning(
            f"results that are there are made again: settings, sources or code of {changed:,} jobs have changed, and others follow from "
            "these; `snakemake why` says what has changed"
        )


def finish_dropping_of_killed_runs():
    """Put back, or delete, policies that a run or `prune` had put aside when it was killed."""
    for point in PLAN.points:
        with contextlib.suppress(Damaged):
            finish_dropping(RESULTS, point)


def look_for_key():
    """Say at once where runs are to be sent to Weights & Biases and it would not take them."""
    if PLAN.config["track"]["mode"] == "online" and not has_key():
        logger.warning(
            "track.mode is online, and W&B finds no API key here: each run is written offline, for `wandb sync` to send. "
            "`wandb login` or WANDB_API_KEY gives it a key; `track: {mode: offline}` is without this warning"
        )


def locks_of(persistence):
    """The names of the lock files that this run has made; none where Snakemake no longer says so: then it is unlocked by hand."""
    return [os.path.basename(path) for path in getattr(persistence, "_lockfile", {}).values()]


def samples_or_grades(job):
    """True for a job that `look_before_sampling` comes before, whatever another workflow calls its rule."""
    return any(os.path.basename(file) in ("rollouts.parquet", "verdicts.parquet") for file in job.output)


def look_before_sampling():
    """End the run where what it needs is missing, before anything is sampled."""
    look_for_packages()
    look_for_cluster()
    look_at_inputs()


def look_for_packages():
    """End the run where a package that the sweep needs is not installed."""
    for package, reason in PLAN.packages().items():
        if not DEPLOYED and importlib.util.find_spec(package) is None:
            raise WorkflowError(
                f"nothing was sampled: {reason}, which needs {package}; install it for {PYTHON} as envs/ pins it, or "
                "have Snakemake deploy it with --sdm conda"
            )


def look_for_cluster():
    """End the run where a training is to take several machines of this one."""
    nodes = resources_of("sft", "nodes")
    if workflow.local_exec and nodes > 1:
        raise WorkflowError(
            f"nothing was sampled: resources.sft.nodes is {nodes}, and this is no cluster; "
            "run with --workflow-profile profiles/slurm, or set it to 1"
        )


def look_at_inputs():
    """Run the check over all that the sweep needs, once for each state of the configuration; end the run where it fails.

    It is no node: as an input of every `generate` it would make each of them run again whenever the sweep grows.
    """
    settings = PLAN.check_settings()
    checked, overlap = files_of_check(settings)
    if not os.path.exists(checked) or not os.path.exists(overlap):
        launch = [sys.executable, "-P", "-m", "opsft_flow.machine.launch"]
        command = [*launch, str(SCRIPTS / "check.py"), "--settings", "-"]
        command += ["--threads", str(resources_of("verify", "threads"))]
        outputs = ["--checked", checked, "--overlap", overlap, "--run", checked.replace(".json", ".run.json")]
        done = subprocess.run(command + outputs, input=settings, stdout=sys.stderr, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            raise WorkflowError(f"nothing was sampled: {done.stderr.strip()}")


def files_of_check(settings):
    """What the check writes for one state of the configuration, and its table of what problem sets have in common."""
    name = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return [f"{RESULTS}/problems/checked/{name}.{end}" for end in ("json", "csv")]


def put_overlap_in_place():
    """Show what problem sets have in common in this state of the configuration, where that was looked at."""
    _, overlap = files_of_check(PLAN.check_settings())
    if os.path.exists(overlap):
        # Calls that are started together write the same file, each in a folder of its own.
        with tempfile.TemporaryDirectory(dir=f"{RESULTS}/problems", prefix=".") as own:
            os.replace(shutil.copy(overlap, own), f"{RESULTS}/problems/overlap.csv")


def look_for_policies(uses):
    """End the run where a job needs a policy that was dropped."""
    try:
        check_uses(uses.values())
    except ValueError as error:
        raise WorkflowError(f"nothing was run: {error}") from None


def look_at_clock():
    """End the run where its results would be older than what they are made from."""
    jobs = workflow.dag.needrun_jobs()
    made = {str(file) for job in jobs for file in job.output}
    try:
        # Where nothing can be written, the first job says so.
        with contextlib.suppress(OSError):
            check_clock({str(file) for job in jobs for file in job.input} - made, RESULTS)
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
