"""The screen of a run: a line for each job that has ended, why jobs have failed, and at the end what the sweep found."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TextIO

from opsft_flow.screen.found import NOTHING_KEPT, found
from opsft_flow.screen.logs import message_of, progress_of
from opsft_flow.screen.pace import Pace, duration
from opsft_flow.screen.paper import Paper

MOST_FAILURES = 3
"""As many failed jobs are shown with their messages; of the others only the logs are named."""

GO_ON = "run the same command again, and it goes on from there"


@dataclass
class Job:
    """A job that was begun: its kind, what it is in words, its files, and when it was begun."""

    kind: str
    what: str
    outputs: Sequence[str]
    logs: Sequence[str]
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began


class Screen:
    """Shows a run on `stream`. `closing` gives the lines that come last where all has gone well; `shows_jobs` is False where only those are asked for."""

    def __init__(self, stream: TextIO, closing: Callable[[], list[str]], shows_jobs: bool = True) -> None:
        self.closing, self.shows_jobs = closing, shows_jobs
        self.paper = Paper(stream, self.progress if shows_jobs else str)
        self.pace: Pace | None = None
        self.running: dict[int, Job] = {}
        self.failed: dict[int, tuple[Job, str]] = {}
        self.empty = self.filtered = 0
        self.interrupted = self.nothing_to_do = self.closed = False

    def plan(self, counts: dict[str, int]) -> None:
        """How many jobs of each kind are to run."""
        self.pace = Pace(counts)
        if self.shows_jobs and self.pace.total > 1:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in counts.items())
            self.paper.write(f"{self.pace.total:,} jobs: {kinds}")
        if self.shows_jobs:
            self.paper.start()

    def begin(self, number: int, job: Job) -> None:
        self.running[number] = job

    def end(self, number: int) -> None:
        """A job has ended well."""
        job = self.running.pop(number, None)
        self.failed.pop(number, None)
        if job is None or self.pace is None:
            return
        self.pace.end(job.kind, job.seconds)
        what = found(job.outputs)
        if job.kind == "filter":
            self.filtered += 1
            self.empty += what.startswith(NOTHING_KEPT)
        if self.shows_jobs and job.outputs:
            text = f"{job.what}: {what}" if what else job.what
            notes = ", ".join(filter(None, [duration(job.seconds), self.pace.text()]))
            self.paper.write(f"{self.pace.done:,}/{self.pace.total:,} {text} ({notes})")

    def fail(self, number: int, job: Job, reason: str) -> None:
        """A job has failed; one that is tried again may still end well. Who ends the run ends its jobs, which is no failure."""
        self.running.pop(number, None)
        if not self.interrupted:
            self.failed[number] = (job, reason)
            self.paper.write(f"FAILED {job.what}: {', '.join(job.logs)}")

    def interrupt(self) -> None:
        self.interrupted = True

    def say(self, text: str) -> None:
        """Show a message of Snakemake's own."""
        self.paper.write(text)

    def progress(self) -> str:
        """How far the job has come that has run longest of those that say it."""
        for job in sorted(self.running.values(), key=lambda job: job.began):
            if job.outputs and (line := progress_of(job.logs)):
                others = len(self.running) - 1
                return f"{job.what}: {line}" + (f" | {others:,} more running" if others else "")
        return ""

    def close(self) -> None:
        """Show what comes last."""
        if self.closed:
            return
        self.closed = True
        self.paper.close()
        for line in self.last_lines():
            self.paper.write(line)

    def last_lines(self) -> list[str]:
        done = f"{self.pace.done:,} of {self.pace.total:,} jobs are done" if self.pace else "nothing was run"
        if self.interrupted:
            return [f"Stopped: {done}; {GO_ON}."]
        if self.failed:
            return [
                *self.about_empty(),
                f"{len(self.failed):,} failed, {done}. When it is mended, {GO_ON}.",
                *self.about_failed(),
            ]
        if self.nothing_to_do:
            return self.closing()
        if self.pace and self.pace.done == self.pace.total:
            ended = [f"{self.pace.total:,} jobs done in {duration(self.pace.elapsed)}"] if self.pace.total > 1 else []
            return [*self.about_empty(), *ended, *self.closing()]
        return []

    def about_empty(self) -> list[str]:
        if not self.empty:
            return []
        return [
            f"NOTHING SURVIVED THE FILTER in {self.empty:,} of the {self.filtered:,} iterations that were filtered: nothing was trained in them."
        ]

    def about_failed(self) -> list[str]:
        """Each failed job, with its own message; the last line is of the message."""
        jobs = list(self.failed.values())
        others = [f"failed: {job.what}; see {', '.join(job.logs)}" for job, _ in jobs[MOST_FAILURES:]]
        return others + [self.about_one(job, reason) for job, reason in jobs[:MOST_FAILURES]]

    def about_one(self, job: Job, reason: str) -> str:
        message = message_of(job.logs) or "it has left no message in its log"
        return "\n".join(filter(None, [f"failed: {job.what} ({', '.join(job.logs)})", reason, message]))
