"""Which weights can go: those that nothing still to be run will read, and never the last of a point."""

import os
import pathlib

from opsft_flow.files import read_json
from opsft_flow.places import Place, iteration_folder, measured_on, sampled_policy
from opsft_flow.points import Point
from opsft_flow.policy import locate
from opsft_flow.scratch import is_held

WEIGHT_FOLDERS = ("policy", "trainer")


def droppable(results: str, points: list[dict]) -> list[pathlib.Path]:
    """Folders of weights and of optimiser states below `results` that can be deleted.

    `points` are those of the configuration, with iterations, benchmarks and `refresh_every`. Points on disk that the configuration
    does not name are not open: they keep their last policy. So do all, and the one that one more iteration would sample. A policy that is its parent again counts for the folder that it points at.
    """
    wanted = {Point(p["model"], p["recipe"], p["budget"], p["seed"]): p for p in points}
    needed, present = set(), []
    for folder in sorted(pathlib.Path(results).glob("*/*/L*/seed*")):
        point = Point.from_path(folder.relative_to(results).as_posix())
        numbers = [file.parent.name.removeprefix("iter") for file in folder.glob("iter*/policy.json")]
        trained = sorted(int(number) for number in numbers if number.isdigit())
        for i in trained:
            block = wanted.get(point)
            if i in (trained[-1], sampled_next(trained[-1], block)) or is_open(results, point, i, block):
                needed |= folders_of(folder / f"iter{i}" / "policy.json")
        # A folder without a manifest is of a policy that is being written.
        present += [folder / f"iter{i}" / name for i in trained for name in WEIGHT_FOLDERS]
    return sorted(p for p in present if p.exists() and p.resolve() not in needed)


def abandoned_scratch(results: str, points: list[dict]) -> list[pathlib.Path]:
    """What killed trainings have left in points that have all their iterations, or that the configuration does not name.

    In a point that still has to train, a scratch folder may be what its next run goes on from.
    """
    last = {Point(p["model"], p["recipe"], p["budget"], p["seed"]): p["iterations"] for p in points}
    training = {
        point for point, i in last.items() if not os.path.exists(f"{results}/{iteration_folder(point, i)}/policy.json")
    }
    folders = [f for f in sorted(pathlib.Path(results).glob("*/*/L*/seed*/.scratch/*")) if f.is_dir()]
    ended = [f for f in folders if Point.from_path(f.parents[1].relative_to(results).as_posix()) not in training]
    return [f for f in ended if not is_held(f)]


def sampled_next(last: int, block: dict | None) -> int:
    """The number of the policy that one more iteration after `last` would be sampled from."""
    return sampled_policy(last + 1, block["refresh_every"]) if block else last


def is_open(results: str, point: Point, iteration: int, block: dict | None) -> bool:
    """True where something that samples from policy `iteration`, or trains it on, has not been written yet."""
    if block is None:
        return False
    readers = [
        f"{Place(point.model, point, iteration, name).path}/rollouts.parquet" for name in measured_on(block, iteration)
    ]
    if iteration < block["iterations"]:
        readers.append(f"{iteration_folder(point, iteration + 1)}/policy.json")
    for i in range(1, block["iterations"] + 1):
        if sampled_policy(i, block["refresh_every"]) == iteration:
            readers.append(f"{iteration_folder(point, i)}/train/rollouts.parquet")
    return not all(os.path.exists(f"{results}/{reader}") for reader in readers)


def folders_of(manifest_path: pathlib.Path) -> set[pathlib.Path]:
    """The folders that a trained policy's manifest names."""
    manifest = read_json(manifest_path)
    folders = set()
    if manifest["path"] is not None:
        folders.add(locate(manifest_path, manifest).resolve())
    if manifest["optimizer"] is not None:
        folders.add((manifest_path.parent / manifest["optimizer"]["path"]).resolve())
    return folders
