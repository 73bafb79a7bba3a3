"""The jobs of one point, run without Snakemake: in any order, killed at any moment, over files that hold nothing."""

import itertools
import json
import os
import pathlib
import random
from dataclasses import dataclass

from opsft_flow.places import sampled_policy
from opsft_flow.points import Point
from opsft_flow.weights.policy import trained_folders
from opsft_flow.weights.prune import Use, prune_point

POINT = Point("m", "r", 8, 0)


@dataclass(frozen=True)
class Job:
    """A job by its kind (sample, train, measure) and iteration; `name` is the benchmark's."""

    kind: str
    iteration: int
    name: str = ""


class Sweep:
    """Jobs that are to run, have started, have written their results, and are down as done."""

    def __init__(
        self, folder: pathlib.Path, block: dict, keep: str | dict, empty: set[int], order: random.Random
    ) -> None:
        self.results, self.folder, self.order = folder, folder / POINT.path, order
        self.block, self.keep, self.empty = block, keep, empty
        rounds = range(1, block["iterations"] + 1)
        self.jobs = [Job(kind, i) for i in rounds for kind in ("sample", "train")]
        self.jobs += [Job("measure", i, name) for i in rounds for name in block["benchmarks"]]
        self.waiting, self.started, self.written = set(self.jobs), set(), set()
        self.clock = itertools.count(1)
        self.most_weights = 0

    def policy_read(self, job: Job) -> int:
        """The number of the policy that a job samples or trains on."""
        if job.kind == "sample":
            return sampled_policy(job.iteration, self.block["refresh_every"])
        return job.iteration - 1 if job.kind == "train" else job.iteration

    def needs(self, job: Job) -> list[Job]:
        """The jobs that must be done before."""
        policy = self.policy_read(job)
        before = [Job("train", policy)] if policy else []
        return [*before, Job("sample", job.iteration)] if job.kind == "train" else before

    def manifest(self, iteration: int) -> pathlib.Path:
        if iteration == 0:
            return self.results / "m/base/policy.json"
        return self.folder / f"iter{iteration}" / "policy.json"

    def result(self, job: Job) -> pathlib.Path:
        if job.kind == "train":
            return self.manifest(job.iteration)
        place = f"eval/{job.name}" if job.kind == "measure" else "train"
        return self.folder / f"iter{job.iteration}" / place / "rollouts.parquet"

    def use(self, job: Job) -> Use:
        read = self.manifest(self.policy_read(job))
        return Use(parent=read, writes=self.result(job)) if job.kind == "train" else Use(samples=read)

    def check_readable(self, job: Job) -> None:
        policy = self.policy_read(job)
        if policy:
            weights, state = trained_folders(self.manifest(policy))
            assert weights.exists(), f"{job}: {weights} was dropped"
            assert job.kind != "train" or state.exists(), f"{job}: {state} was dropped"

    def start(self, job: Job) -> None:
        self.result(job).unlink(missing_ok=True)
        self.check_readable(job)
        self.waiting.remove(job)
        self.started.add(job)

    def write(self, job: Job) -> None:
        """End the job; its result has a time of its own."""
        self.check_readable(job)
        file, folder = self.result(job), self.result(job).parent
        folder.mkdir(parents=True, exist_ok=True)
        if job.kind == "train":
            self.write_policy(job.iteration, folder)
        else:
            file.touch()
        os.utime(file, ns=(0, next(self.clock)))
        self.started.remove(job)
        self.written.add(job)

    def write_policy(self, iteration: int, folder: pathlib.Path) -> None:
        """A policy with folders of its own, or, where nothing was kept, its parent again."""
        if iteration in self.empty and iteration > 1:
            found = [os.path.relpath(path, folder) for path in trained_folders(self.manifest(iteration - 1))]
        else:
            found = ["policy", "trainer"]
            for name in found:
                (folder / name).mkdir(exist_ok=True)
        # Nothing here outlives the machine: nothing is synced to disk.
        (folder / "policy.json").write_text(json.dumps({"path": found[0], "optimizer": {"path": found[1]}}))
        self.most_weights = max(self.most_weights, len(list(self.folder.glob("iter*/policy"))))

    def tidy(self) -> None:
        uses = [self.use(job) for job in self.waiting | self.started | self.written]
        list(prune_point(str(self.results), POINT, self.block, self.keep, uses))

    def kill(self) -> None:
        """Everything ends at once: what Snakemake has not got down as done is to run again."""
        self.waiting |= self.started | self.written
        self.started, self.written = set(), set()

    def run_again_from(self, job: Job) -> None:
        """As after a change of a setting: this job is to run, and all that follows from it."""
        again = {job}
        while more := {other for other in self.jobs if again & set(self.needs(other))} - again:
            again |= more
        self.waiting |= again

    def step(self, kills: bool = True) -> None:
        """Something happens: a job starts, writes or is down as done, policies are dropped, or all is killed."""
        undone = self.waiting | self.started | self.written
        ready = [job for job in self.waiting if not undone & set(self.needs(job))]
        happens = [(self.start, job) for job in ready] + [(self.write, job) for job in self.started]
        happens += [(self.written.remove, job) for job in self.written]
        happens.sort(key=lambda one: (one[0].__name__, one[1].kind, one[1].iteration, one[1].name))
        if kills and self.order.random() < 0.1:
            self.kill()
        else:
            act, job = self.order.choice(happens)
            act(job)

    def run(self, kills: bool = True) -> None:
        self.tidy()
        while self.waiting or self.started or self.written:
            self.step(kills)
            if self.order.random() < 0.5:
                self.tidy()
        self.tidy()

    def left(self) -> set[str]:
        """The folders of weights and states that are there."""
        return {
            f"{path.parent.name}/{path.name}"
            for path in self.folder.glob("iter*/*")
            if path.name in ("policy", "trainer")
        }
