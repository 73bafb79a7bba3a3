"""Keep no more policies than asked for while a sweep runs: `keep: last` or `keep: {every: k}` of the configuration.

One thread of the workflow's own process drops what nothing will read any more, for the nodes of all machines. It alone knows which
jobs are still to run: files tell neither that a job runs again though its result is there, nor that one that was
killed after writing its result is not done for Snakemake. It knows this from `uses`, not from Snakemake.
"""

import contextlib
import pathlib
import threading
from collections.abc import Callable, Hashable, Iterable

from opsft_flow.integrity import Damaged
from opsft_flow.points import Point
from opsft_flow.weights.policy import how_to_have_again, trained_folders
from opsft_flow.weights.prune import Use, prune_point

EVERY_S = 1.0
"""Seconds between two looks at which jobs have ended."""


def policy_uses(jobs: Iterable, results: str) -> dict[Hashable, Use]:
    """What jobs of Snakemake's do with the policies below `results`; those that do nothing with them are left out.

    Where another workflow uses this one as a module, jobs of its own may have anything by the same names.
    """

    def manifest(files, name: str) -> pathlib.Path | None:
        file = files.get(name)
        path = pathlib.Path(file) if isinstance(file, str) else None
        return path if path and path.name == "policy.json" and path.is_relative_to(results) else None

    uses = {
        job: Use(manifest(job.input, "policy"), manifest(job.input, "parent"), manifest(job.output, "policy"))
        for job in jobs
    }
    return {job: use for job, use in uses.items() if any(vars(use).values())}


def check_uses(uses: Iterable[Use]) -> None:
    """Raises ValueError where jobs need weights or optimiser states that were dropped and that no job makes again."""
    uses = list(uses)
    written = {use.writes for use in uses}
    wanted = {(manifest, use.parent is not None) for use in uses if (manifest := use.samples or use.parent)}
    lost = sorted(
        {str(manifest) for manifest, trains in wanted if manifest not in written and is_lost(manifest, trains)}
    )
    if lost:
        raise ValueError(
            f"jobs need policies whose weights or optimiser states were dropped: {', '.join(lost)}. {how_to_have_again(lost)}; "
            "or take out of the configuration what needs them"
        )


def is_lost(manifest: pathlib.Path, trains: bool) -> bool:
    """True where the weights of a policy are gone, or, where it is to be trained on, the optimiser's state."""
    weights, state = trained_folders(manifest)
    return any(folder and not folder.exists() for folder in (weights, state if trains else None))


class Keeper:
    """Drops policies in the background, from `start` to `stop`, as `keep` says: the key of the configuration.

    A line for each folder that was dropped goes to `log`.
    """

    def __init__(self, results: str, keep: str | dict, log: str) -> None:
        self.results, self.keep, self.log = results, keep, log
        self.stopped = threading.Event()
        self.thread: threading.Thread | None = None

    def start(self, points: list[dict], uses: dict[Hashable, Use], ended: Callable[[Hashable], bool]) -> None:
        """Watch over those points of the configuration that `uses` names: what jobs of other calls do with the others is not known.

        `uses` has what each job that is to run does with policies. `ended(job)` says whether Snakemake has it down as done:
        only then is its result safe from being made again.
        """
        if self.keep == "all":
            return
        blocks = {Point(p["model"], p["recipe"], p["budget"], p["seed"]): p for p in points}
        self.points = {point.path: point for point in blocks}
        self.uses, self.ended = dict(uses), ended
        self.blocks = {point: blocks[point] for point in self.points_of(self.uses.values())}
        self.thread = threading.Thread(target=self.watch, name="keep", daemon=True)
        self.thread.start()

    def stop(self) -> None:
        """Drop what the last jobs have freed, and return when it is gone."""
        if self.thread:
            self.stopped.set()
            self.thread.join()

    def watch(self) -> None:
        self.prune(self.blocks)
        while not self.stopped.wait(EVERY_S):
            self.prune(self.take_ended())
        self.prune(self.take_ended())

    def take_ended(self) -> set[Point]:
        """Forget the jobs that have ended; the points whose policies they used."""
        ended = [job for job in self.uses if self.ended(job)]
        return self.points_of([self.uses.pop(job) for job in ended])

    def points_of(self, uses: Iterable[Use]) -> set[Point]:
        return {point for use in uses for file in vars(use).values() if (point := self.point_of(file))}

    def point_of(self, manifest: pathlib.Path | None) -> Point | None:
        """The point of the configuration that a policy is of; None for the base model, and for a policy of another sweep."""
        folder = manifest and manifest.parent.parent
        inside = folder is not None and folder.is_relative_to(self.results)
        return self.points.get(folder.relative_to(self.results).as_posix()) if inside else None

    def prune(self, points: Iterable[Point]) -> None:
        """A folder that cannot be deleted, or a manifest that cannot be read, is a line in the log, and no reason to stop the sweep."""
        uses = list(self.uses.values())
        for point in points:
            try:
                for folder, size in prune_point(self.results, point, self.blocks[point], self.keep, uses):
                    self.write(f"dropped {folder} ({size / 1e6:,.1f} MB)")
            except (OSError, Damaged) as error:
                self.write(f"{point.path}: {error}")

    def write(self, line: str) -> None:
        path = pathlib.Path(self.log)
        # On a full disk nothing can be written, and dropping is what helps.
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path, "a") as log:
                print(line, file=log)
