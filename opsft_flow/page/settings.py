"""The settings of every point: those that the sidecars of its last iteration have recorded, and how they change from one to the next."""

from collections.abc import Iterator
from pathlib import Path

from opsft_flow.integrity import read_sealed
from opsft_flow.places import Place, iteration_folder
from opsft_flow.points import Point

NOT_SETTINGS = ("node", "code", "place", "iteration", "point")


def point_settings(results: str, block: dict) -> dict[str, object]:
    """Every setting of a point, by its dotted name; what no sidecar has recorded is not there, but for `changing`."""
    found: dict[str, object] = flatten(block.get("changing", {}), "")
    for prefix, sidecar in sidecars(block):
        file = Path(results, f"{sidecar}.run.json")
        if recorded := read_sealed(file):
            found |= flatten(
                {key: value for key, value in recorded["settings"].items() if key not in NOT_SETTINGS}, prefix
            )
    return found


def sidecars(block: dict) -> Iterator[tuple[str, str]]:
    """What a setting's name begins with, and the sidecar that has recorded it."""
    point = Point(block["model"], block["recipe"], block["budget"], block["seed"])
    folder = iteration_folder(point, block["iterations"])
    yield "base", f"{point.model}/base/policy"
    yield "train", f"{folder}/train/rollouts"
    yield "train", f"{folder}/train/verdicts"
    yield "", f"{folder}/train/filter"
    yield "", f"{folder}/policy"
    for name in block["benchmarks"]:
        place = Place(point.model, point, block["iterations"], name).path
        for file in ("rollouts", "verdicts", "metrics"):
            yield name, f"{place}/{file}"


def flatten(value: object, name: str) -> dict[str, object]:
    """A nested value as {dotted name: leaf}; a list is a leaf, unless it is one of dicts."""
    if isinstance(value, list) and value and all(isinstance(item, dict) for item in value):
        value = {str(number): item for number, item in enumerate(value, start=1)}
    if not isinstance(value, dict):
        return {name: value}
    return {
        key: leaf
        for part, inner in value.items()
        for key, leaf in flatten(inner, f"{name}.{part}" if name else part).items()
    }


def split_common(settings: list[dict]) -> tuple[dict, list[dict]]:
    """What all points have in common, and what is left of each."""
    first, *others = settings or [{}]
    common = {key: value for key, value in first.items() if all(key in one and one[key] == value for one in others)}
    return common, [{key: value for key, value in one.items() if key not in common} for one in settings]
