# The plan of the sweep, and where its results go. Every other file builds on these names.
from pathlib import Path

from snakemake.exceptions import WorkflowError

from opsft_flow.configuration.messages import located
from opsft_flow.files import DiskFull, check_room
from opsft_flow.graph.plan import Plan
from opsft_flow.screen.attach import attach_screen

# Of Snakemake's records of 1,000 jobs; on a full disk it fails with a traceback, and may lose them.
ROOM_FOR_RECORDS = 4 << 20

# First of all, for Ctrl-C and errors of the configuration are shown on it. Another workflow that uses this one as a module keeps its own.
if workflow.is_main_process and workflow.main_snakefile == str(ROOT / "Snakefile"):
    attach_screen(workflow, lambda: closing(), lambda: planned())

try:
    check_room(Path.cwd(), ROOM_FOR_RECORDS, "what Snakemake writes to .snakemake")
    PLAN = Plan(config)
except (ConfigError, DiskFull) as error:
    refuse(located(str(error), LINES))

RESULTS = PLAN.results
if workflow.modifier.path_modifier.replace_prefix(RESULTS) != RESULTS:
    raise WorkflowError(
        "prefix and replace_prefix of a module move the paths that Snakemake sees, and not those that the nodes read and write; "
        "set `results` in the module's configuration"
    )
LOGS = f"{RESULTS}/logs"
SUMMARY = PLAN.path(PLAN.summary)
CODES = f"{LOGS}/code"
