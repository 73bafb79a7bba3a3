"""Results on disk that the sweep no longer names: they stay, and no table or figure shows them."""

import pathlib
from collections.abc import Iterable

from opsft_flow.graph.plan import Plan
from opsft_flow.places import trained_iterations
from opsft_flow.weights.prune import points_on_disk


def outside(plan: Plan) -> list[tuple[str, str]]:
    """Each point, and each base model, with results that the sweep does not name, and which these are."""
    results = pathlib.Path(plan.results)
    found = []
    for point in points_on_disk(plan.results):
        folder, known = results / point.path, point in plan.points
        last, benchmarks = (plan.iterations(point)[-1], plan.points[point]) if known else (0, ())
        trained = trained_iterations(folder)
        beyond = [i for i in trained if i > last]
        measured = {name for i in trained if i <= last for name in benchmarks_in(folder / f"iter{i}")}
        found.append((point.path, told(beyond, measured.difference(benchmarks))))
    for folder in sorted(results.glob("*/base")):
        unnamed = benchmarks_in(folder).difference(plan.benchmarks.get(folder.parent.name, ()))
        found.append((f"{folder.parent.name}/base", told([], unnamed)))
    return [(name, what) for name, what in found if what]


def told(iterations: list[int], benchmarks: Iterable[str]) -> str:
    parts = [("iterations ", map(str, iterations)), ("benchmarks ", sorted(benchmarks))]
    return "; ".join(label + names for label, listed in parts if (names := ", ".join(listed)))


def benchmarks_in(folder: pathlib.Path) -> set[str]:
    """The benchmarks that a policy has been measured on."""
    return {file.parent.name for file in folder.glob("eval/*/metrics.json")}
