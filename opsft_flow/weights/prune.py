"""Which weights and optimiser states can go: those that nothing still to be run will read, and never the last of a point.

`snakemake prune` drops them by hand; `opsft_flow.weights.keep` does while a sweep runs.
"""

import contextlib
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from opsft_flow.files import read_json, size_of
from opsft_flow.integrity import Damaged
from opsft_flow.machine.runtime import process_start
from opsft_flow.places import Place, measured_on, policy_manifest, sampled_policy, trained_iterations
from opsft_flow.points import Point
from opsft_flow.weights.policy import trained_folders
from opsft_flow.weights.scratch import is_held

FOLDERS = ("policy", "trainer")

POINT_PATTERN = r"[^/]+/[^/]+/L(?:0|[1-9][0-9]*|-[^/]+)/seed(?:0|[1-9][0-9]*)"


@dataclass(frozen=True)
class Use:
    """What a job that is to run does with policies: the manifests of those that it samples, trains on and writes."""

    samples: pathlib.Path | None = None
    parent: pathlib.Path | None = None
    writes: pathlib.Path | None = None


def droppable(
    results: str, point: Point, block: dict, keep: str | dict, uses: Iterable[Use] = ()
) -> list[pathlib.Path]:
    """Folders of weights and of optimiser states of a point that can be deleted.

    `block` is the point's in the configuration, with iterations, benchmarks and `refresh_every`. Whatever `keep` says,
    `always_kept` says what stays.
    `uses` are of the jobs that have not ended. A policy that is its parent again counts for the folders that it points at.
    """
    folder, uses = pathlib.Path(results) / point.path, list(uses)
    samples, parents, writes = ({getattr(use, name) for use in uses} for name in ("samples", "parent", "writes"))
    trained, present, needed = trained_iterations(folder), [], set()
    always = always_kept(trained, block)
    for i in trained:
        manifest = folder / f"iter{i}" / "policy.json"
        if manifest in writes:
            # It is written anew before anything reads it, and its folders are its writer's; so are those without a manifest.
            continue
        present += [path for name in FOLDERS if (path := manifest.with_name(name)).exists()]
        if not present:
            # A manifest names its own folders or earlier ones: none of those is left.
            continue
        stays = i in always or is_kept(i, keep)
        is_parent = stays or manifest in parents or is_open(results, point, i, training_readers(point, i, block))
        is_sampled = manifest in samples or is_open(results, point, i, sampling_readers(point, i, block))
        if is_parent or is_sampled:
            weights, state = trained_folders(manifest)
            needed |= {weights, state if is_parent else None}
    return sorted(path for path in present if path not in needed)


def is_kept(iteration: int, keep: str | dict) -> bool:
    """True where `keep`, the key of the configuration, says that a policy stays though nothing will read it."""
    return keep == "all" or (isinstance(keep, dict) and iteration % keep["every"] == 0)


def always_kept(trained: list[int], block: dict) -> set[int]:
    """The policies that stay whatever `keep` says, by number: the last, and the one that one more iteration would sample.

    The last is so on disk and by the configuration, where that has fewer iterations: its last is the result that the tables show.
    """
    ends = {*trained[-1:], block["iterations"]}
    return ends | {sampled_policy(end + 1, block["refresh_every"]) for end in ends}


def training_readers(point: Point, iteration: int, block: dict) -> list[str]:
    """The policy that is trained on policy `iteration`."""
    return [policy_manifest(point.model, point, iteration + 1)] if iteration < block["iterations"] else []


def sampling_readers(point: Point, iteration: int, block: dict) -> list[str]:
    """The rollouts that are sampled from policy `iteration`."""
    places = [Place(point.model, point, iteration, name) for name in measured_on(block, iteration)]
    # None stands for the base model, whose weights are not of the sweep.
    last = min(iteration + (block["refresh_every"] or 0), block["iterations"])
    for i in range(iteration + 1, last + 1):
        if sampled_policy(i, block["refresh_every"]) == iteration:
            places.append(Place(point.model, point, i, None))
    return [f"{place.path}/rollouts.parquet" for place in places]


def is_open(results: str, point: Point, iteration: int, readers: list[str]) -> bool:
    """True where a file that is made from policy `iteration` has not been written since that policy was."""
    written = modified(f"{results}/{policy_manifest(point.model, point, iteration)}")
    return not all(modified(f"{results}/{reader}") >= written for reader in readers)


def modified(path: str) -> float:
    """When a file was written last; before all time where there is none."""
    try:
        return os.stat(path).st_mtime_ns
    except FileNotFoundError:
        return float("-inf")


def points_on_disk(results: str) -> list[Point]:
    """The points that have a folder; one by another name, such as a copy that somebody has put aside, is no point's."""
    folders = sorted(pathlib.Path(results).glob("*/*/L*/seed*"))
    paths = [folder.relative_to(results).as_posix() for folder in folders]
    return [Point.from_path(path) for path in paths if re.fullmatch(POINT_PATTERN, path)]


def dropped_before(results: str, point: Point) -> list[pathlib.Path]:
    """What a kill has left of folders that were being dropped."""
    folder = pathlib.Path(results) / point.path
    return sorted(
        path
        for i in trained_iterations(folder)
        for name in FOLDERS
        for path in folder.glob(f"iter{i}/.{name}.[0-9]*.old")
    )


def finish_dropping(results: str, point: Point) -> None:
    """Put back what a kill has left whole of folders that were being dropped, where a manifest names it; delete what it has left in part."""
    for aside in dropped_before(results, point):
        name, process = aside.name.removeprefix(".").removesuffix(".old").split(".")
        if process_start(int(process)) is not None:
            continue
        folder = aside.with_name(name)
        if not folder.exists() and is_whole_copy(aside, folder):
            with contextlib.suppress(OSError):
                aside.rename(folder)
        else:
            shutil.rmtree(aside, ignore_errors=True)


def is_whole_copy(aside: pathlib.Path, folder: pathlib.Path) -> bool:
    """True where `aside` has all files, of the right size, that the manifest beside it names in `folder`."""
    manifest = folder.with_name("policy.json")
    if folder not in trained_folders(manifest):
        return False
    found = read_json(manifest)
    files = found["files"] if folder.name == "policy" else found["optimizer"]["files"]
    sizes = {path.name: path.stat().st_size for path in aside.iterdir()}
    return all(sizes.get(name) == entry["bytes"] for name, entry in files.items())


def abandoned_scratch(results: str, point: Point, block: dict, uses: Iterable[Use] = ()) -> list[pathlib.Path]:
    """What killed trainings have left in a point that trains no more, for it has all its iterations.

    In a point that still has to train, a scratch folder may be what its next run goes on from.
    """
    folder = pathlib.Path(results) / point.path
    missing = set(range(1, block["iterations"] + 1)) - set(trained_iterations(folder))
    if missing or any(use.writes and folder in use.writes.parents for use in uses):
        return []
    return [path for path in sorted(folder.glob(".scratch/*")) if path.is_dir() and not is_held(path)]


def drop(folder: pathlib.Path) -> int:
    """Delete a folder; the bytes that it held.

    For readers it is gone at once and as a whole. What a kill leaves of it has the name of what writers have put aside
    (`opsft_flow.files.atomic`); the next run puts it back or finishes (`finish_dropping`). Two that drop the same folder do not disturb each other.
    """
    aside = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    with contextlib.suppress(FileNotFoundError):
        size = size_of(folder)
        folder.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)
        return size
    return 0


def prune_point(
    results: str, point: Point, block: dict, keep: str | dict, uses: Iterable[Use] = (), only_look: bool = False
) -> Iterator[tuple[pathlib.Path, int]]:
    """Drop all that can go of a point, or only look what that is; yields each folder and its bytes."""
    uses = list(uses)
    if not only_look:
        finish_dropping(results, point)
    for folder in [*droppable(results, point, block, keep, uses), *abandoned_scratch(results, point, block, uses)]:
        yield folder, size_of(folder) if only_look else drop(folder)


def prune_points(
    results: str, blocks: dict[Point, dict], keep: str | dict, uses: Iterable[Use] = (), only_look: bool = False
) -> Iterator[tuple[pathlib.Path, int]]:
    """Drop all that can go of the points on disk that `blocks` names, or only look what that is; yields each folder and its bytes.

    Another configuration may share the folder. What its points still need is known to it alone. A point with a damaged manifest, which
    may name any of its weights, is left alone, and said so.
    """
    uses = list(uses)
    for point in points_on_disk(results):
        if point in blocks:
            try:
                yield from prune_point(results, point, blocks[point], keep, uses, only_look)
            except Damaged as error:
                print(f"left alone, for it is not known which weights it needs: {point.path}: {error}", flush=True)
