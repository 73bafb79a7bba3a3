"""Snakemake's limit on how many jobs begin in a span of time, of which the default costs more than it is worth."""

DEFAULT_JOBS, DEFAULT_SPAN_S = 100, 1
"""What `--max-jobs-per-timespan` is where nobody says otherwise: 100/1s."""


def lift_default_limit(workflow) -> None:
    """Let jobs begin as soon as they can, unless another limit has been asked for; to be called when a run starts.

    With a limit, every round of scheduling starts a timer of one span, and every timer starts a round: hundreds of threads after
    some hundred jobs. No profile can switch it off, for Snakemake takes no empty value.
    """
    limit = workflow.scheduler.job_rate_limiter
    if limit is not None and (limit.max_jobs, limit.timespan) == (DEFAULT_JOBS, DEFAULT_SPAN_S):
        workflow.scheduler.job_rate_limiter = None
