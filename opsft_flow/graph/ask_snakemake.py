"""What Snakemake would run of a workflow, decided by Snakemake itself. Nothing is run."""

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

from snakemake.api import SnakemakeApi
from snakemake.dag import DAG
from snakemake.settings.enums import Quietness
from snakemake.settings.types import (
    ChangeType,
    ConfigSettings,
    DAGSettings,
    DeploymentMethod,
    DeploymentSettings,
    OutputSettings,
    RerunTrigger,
    ResourceSettings,
)


@contextlib.contextmanager
def decided(settings: dict) -> Iterator[DAG]:
    """What Snakemake would run of the workflow that `settings` describe, as a dry run decides it."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as snakemake:
        config = ConfigSettings(
            config=settings["config"],
            configfiles=list(map(Path, settings["configfiles"])),
            replace_workflow_config=settings["replace_workflow_config"],
        )
        deployment = DeploymentSettings(
            deployment_method={DeploymentMethod.parse_choice(name) for name in settings["deployment"]}
        )
        workflow = snakemake.workflow(
            resource_settings=ResourceSettings(cores=1),
            config_settings=config,
            deployment_settings=deployment,
            snakefile=Path(settings["snakefile"]),
        )
        triggers = {RerunTrigger.parse_choice(name) for name in settings["rerun_triggers"]}
        graph = workflow.dag(DAGSettings(rerun_triggers=triggers, force_incomplete=True))
        # Of what the interface offers, this makes the graph as a run does, unfinished files included; it prints what is told better here.
        with contextlib.redirect_stdout(io.StringIO()):
            graph.list_changes(ChangeType.PARAMS)
        yield workflow._workflow.dag
