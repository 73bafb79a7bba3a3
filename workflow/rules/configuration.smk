# The folder of this workflow, and where each key of the configuration is written. Before Snakemake reads config.yaml: its own words name no line.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.sourcecache import LocalSourceFile

if not isinstance(workflow.current_basedir, LocalSourceFile):
    raise WorkflowError(
        f"{workflow.current_basedir.get_path_or_uri(secret_free=True)} is no folder on disk, and the nodes are scripts that need "
        "one; clone the repository and give the path of its Snakefile"
    )

# The folder of this workflow's Snakefile, also where another workflow uses this one as a module.
ROOT = Path(workflow.current_basedir.get_path_or_uri(secret_free=True)).parents[1]
sys.path.insert(0, str(ROOT))

from opsft_flow.configuration.files import lines_of_all, refuse
from opsft_flow.errors import ConfigError

try:
    # The configuration of another workflow that uses this one as a module is its own.
    own = workflow.main_snakefile == str(ROOT / "Snakefile")
    embedded = [ROOT / "config.yaml"] if (ROOT / "config.yaml").exists() else []
    LINES = lines_of_all([*embedded, *workflow.config_settings.configfiles]) if own else {}
except ConfigError as error:
    refuse(str(error))
