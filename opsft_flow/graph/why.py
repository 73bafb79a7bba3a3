"""Why the jobs of a run would run, in one line each; in a few lines a point where they are many.

Which jobs, and that they would run, is Snakemake's decision: `PlannedJob` holds what it said of one of them. Here that is put into words.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

MOST_LINES = 100
"""More jobs than these are told in groups."""

MOST_CAUSES = 3
"""Of one job's causes, as many are named."""


@dataclass(frozen=True)
class PlannedJob:
    """A job that would run, and what Snakemake found.

    `at` is the folder of the results tree that it works in, or what else it is named by. `made` is whether its result is there, `begun` whether
    that is marked as not finished, and `missing` names what is missing of it. `changes` says what differs of its settings. Of its
    inputs, `changed` are newer than the result and other than those that it was made from, `renewed` are made by jobs that would run too, and
    `added` and `dropped` count those by which their set differs. `other` are reasons of any other kind, in Snakemake's words.
    """

    rule: str
    at: str
    made: bool
    begun: bool = False
    missing: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    renewed: tuple[str, ...] = ()
    added: int = 0
    dropped: int = 0
    other: tuple[str, ...] = ()

    @property
    def causes(self) -> list[str]:
        """Why this job would run for its own sake, in words."""
        if self.begun:
            return ["was begun and has not ended: it runs now, or was cut off"]
        if not self.made:
            return ["has not been made yet"]
        texts = [f"{name} is missing" for name in self.missing] + list(self.changes)
        if not self.changes and (self.added or self.dropped):
            texts.append(f"its inputs are others: {self.added} more, {self.dropped} fewer")
        return texts + [f"input {name} has changed" for name in self.changed] + list(self.other)

    @property
    def follows(self) -> bool:
        """True where it would run only because another job does."""
        return not self.causes

    @property
    def why(self) -> str:
        if not self.follows:
            rest = len(self.causes) - MOST_CAUSES
            return "; ".join(self.causes[:MOST_CAUSES]) + (f"; and {rest} more" if rest > 0 else "")
        return f"input {self.renewed[0]} is made anew" if self.renewed else "is needed again by a job that would run"


def every_job(jobs: list[PlannedJob]) -> list[str]:
    """A line for each job, in the order in which they would run."""
    return aligned((job.rule, job.at, job.why) for job in jobs)


def in_groups(jobs: list[PlannedJob]) -> list[str]:
    """A line for what jobs of one kind in one point would run for, and one for all that follow there."""
    groups: dict[tuple[str, str, str], list[PlannedJob]] = {}
    for job in jobs:
        what = "..." if job.follows else job.rule
        groups.setdefault((point_of(job.at), what, "" if job.follows else job.why), []).append(job)
    lines = []
    for (_, what, why), members in sorted(groups.items(), key=lambda group: (group[0][0], group[0][1] == "...")):
        if what == "...":
            lines.append((what, point_of(members[0].at), f"and {len(members):,} more that follow: {counts(members)}"))
        else:
            lines.append((what, iterations_of([job.at for job in members]), why))
    return aligned(lines)


def totals(jobs: list[PlannedJob]) -> list[str]:
    """How many jobs would run, of which kinds and for which kind of reason."""
    if not jobs:
        return ["Nothing would run: every result is there, made as the configuration says."]
    new = sum(not job.made and not job.begun for job in jobs)
    follow = sum(job.follows for job in jobs)
    return [
        f"{len(jobs):,} jobs: {counts(jobs)}",
        f"{new:,} of them have not been made yet, {len(jobs) - new - follow:,} have changed, {follow:,} follow from these",
    ]


def point_of(at: str) -> str:
    """The point, or what else there is, that a folder belongs to."""
    return re.split(r"/(?:iter\d+|eval)(?:/|$)", at)[0]


def iterations_of(folders: list[str]) -> str:
    """Folders of one point in one word, such as `toy/opsft/L24/seed0/iter1-4/train`; where they differ in more, only what they share."""
    parts = [re.fullmatch(r"(.*/iter)(\d+)(.*)", folder) for folder in folders]
    if len(folders) == 1 or not all(parts):
        return folders[0]
    numbers = sorted({int(part[2]) for part in parts})
    ends = {part[3] for part in parts}
    span = f"{numbers[0]}-{numbers[-1]}" if len(numbers) > 1 else str(numbers[0])
    return f"{parts[0][1]}{span}{ends.pop() if len(ends) == 1 else ''}"


def counts(jobs: Iterable[PlannedJob]) -> str:
    return ", ".join(f"{rule} {count:,}" for rule, count in Counter(job.rule for job in jobs).items())


def aligned(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Rows of texts as lines, with columns of equal width."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return ["  ".join([*(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=False)), row[-1]]) for row in rows]
