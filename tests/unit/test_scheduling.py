"""Snakemake's limit on how many jobs begin in a span of time."""

from types import SimpleNamespace

import pytest
from snakemake.cli import get_argument_parser
from snakemake.scheduling.job_scheduler import JobRateLimiter
from snakemake.settings.types import MaxJobsPerTimespan

from opsft_flow.graph.scheduling import lift_default_limit


@pytest.mark.parametrize(("options", "stays"), [([], False), (["--max-jobs-per-timespan", "5/1m"], True)])
def test_the_default_limit_is_lifted_and_one_that_was_asked_for_stays(options, stays):
    asked = get_argument_parser().parse_args(options).max_jobs_per_timespan
    assert isinstance(asked, MaxJobsPerTimespan)
    workflow = SimpleNamespace(scheduler=SimpleNamespace(job_rate_limiter=JobRateLimiter(asked)))
    lift_default_limit(workflow)
    assert (workflow.scheduler.job_rate_limiter is not None) == stays
    lift_default_limit(workflow)
