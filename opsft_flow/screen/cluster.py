"""What the jobs of a sweep ask a cluster for, as a dry run shows it."""

from collections.abc import Iterable, Mapping, Sequence

from opsft_flow.graph.why import aligned

HEADER = ("kind of job", "jobs", "partition", "machines", "GPUs", "memory", "time")
ON_GPUS = {"generate": "generate", "generate_shard": "generate", "sft": "sft"}
"""Kinds of jobs that sample or train, and where the configuration says how many GPUs they ask for."""


def cluster_lines(jobs: Iterable, local: Iterable[str], gpus: Mapping[str, int]) -> list[str]:
    """A line for each kind of job that goes to the cluster, one for those that do not, and a warning for each that should have a GPU.

    `jobs` are Snakemake's; those of the rules `local` run where Snakemake does. `gpus` are those of the configuration, by kind of node.
    Jobs of one kind ask for the same, but for further attempts.
    """
    kinds: dict[str, list] = {}
    # Snakemake gives its jobs in any order.
    for job in sorted(jobs, key=lambda job: job.rule.name):
        kinds.setdefault(job.rule.name, []).append(job)
    here = [kind for kind, members in kinds.items() if kind in set(local) or not members[0].output]
    sent = {kind: members for kind, members in kinds.items() if kind not in here}
    lines = (
        ["", "What the cluster is asked for:", *aligned([HEADER, *(row(*kind) for kind in sent.items())])]
        if sent
        else []
    )
    if here:
        lines.append(f"where Snakemake runs: {', '.join(f'{len(kinds[kind]):,} {kind}' for kind in here)}")
    bare = [name for name in dict.fromkeys(ON_GPUS.get(kind) for kind in sent) if name and not gpus[name]]
    return lines + [
        f"warning: resources.{name}.gpu is 0: jobs that {'train' if name == 'sft' else 'sample'} ask for no GPU, and run on a CPU; "
        f"set `resources: {{{name}: {{gpu: 1}}}}` where they are to have one"
        for name in bare
    ]


def row(kind: str, jobs: Sequence) -> tuple[str, ...]:
    asked = jobs[0].resources
    return (
        kind,
        f"{len(jobs):,}",
        str(asked.get("slurm_partition", "the default")),
        str(asked.get("nodes", 1)),
        str(max(job.resources.get("gpu", 0) for job in jobs)),
        f"{asked['mem_mb']:,} MB" if "mem_mb" in asked.keys() else "the default",  # noqa: SIM118, this is no dict
        f"{asked['runtime']:,} min" if "runtime" in asked.keys() else "the default",  # noqa: SIM118
    )
