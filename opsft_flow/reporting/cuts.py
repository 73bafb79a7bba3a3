"""How soon each recipe is how much shorter than its base model, at what accuracy, and what that took: one row for each depth of the cut.

The seeds of a recipe under one budget go together: the iteration is the first, of those that were measured, at which their mean length is
short enough. The last row of each, without a cut, is of the last iteration.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas

from opsft.estimators.bootstrap import Resampling
from opsft.estimators.budget_curve import default_budgets
from opsft.estimators.contrast import Group, contrast, resample_group
from opsft.estimators.responses import Responses
from opsft_flow.places import Place, iteration_folder
from opsft_flow.points import Point
from opsft_flow.reporting.contrasts import CURVE_COLUMNS, DIFFERENCES, difference_columns
from opsft_flow.reporting.summary import training_columns
from opsft_flow.responses import read_responses

ROUNDING = 1e-9
"""The share by which sums of floats may miss a length that is just short enough."""

SPENT = ("rollouts", "tokens_sampled", "updates", "tokens_trained")
CUT_COLUMNS = [
    *("model", "benchmark", "recipe", "budget", "seeds", "cut", "iteration", "accuracy", "tokens_mean"),
    *DIFFERENCES,
    *CURVE_COLUMNS,
    *SPENT,
]


@dataclass(frozen=True)
class Cell:
    """The seeds of one recipe under one budget or schedule, measured on one benchmark.

    `lengths` has the mean length of a response, in tokens, over the seeds, by each iteration that was measured; 0 is the base model.
    """

    points: list[Point]
    benchmark: str
    lengths: dict[int, float]

    def reached(self, cut: float) -> int | None:
        """The first iteration at which at least the share `cut` of the base model's length is gone."""
        short = (1 - cut) * self.lengths[0] * (1 + ROUNDING)
        return next((i for i, length in self.lengths.items() if i and length <= short), None)


def cells_of(settings: dict, points: pandas.DataFrame) -> Iterator[Cell]:
    """Every cell of the sweep. `settings` are those of the compare node; `points` is the points table."""
    cells: dict[tuple, list[dict]] = {}
    for block in settings["points"]:
        for benchmark in block["benchmarks"]:
            cells.setdefault((cell_key(block), benchmark), []).append(block)
    for ((model, _, _), benchmark), blocks in cells.items():
        measured = points[(points["model"] == model) & (points["benchmark"] == benchmark)]
        rows = [measured[measured["recipe"] == "base"], *(measured[is_of(measured, block)] for block in blocks)]
        lengths = pandas.concat(rows).groupby("iteration")["tokens_mean"].mean()
        yield Cell([point_of(block) for block in blocks], benchmark, lengths.to_dict())


def cell_key(block: dict) -> tuple:
    return block["model"], block["recipe"], block["budget"]


def point_of(block: dict) -> Point:
    return Point(block["model"], block["recipe"], block["budget"], block["seed"])


def is_of(points: pandas.DataFrame, block: dict) -> pandas.Series:
    """True for the rows of one point."""
    column = "schedule" if isinstance(block["budget"], str) else "budget"
    same = (
        (points["recipe"] == block["recipe"]) & (points["seed"] == block["seed"]) & (points[column] == block["budget"])
    )
    return same & (points["schedule"].isna() if column == "budget" else True)


def cut_rows(settings: dict, points: pandas.DataFrame) -> list[dict]:
    """A row for each cell and cut, and one for its last iteration."""
    rows, readers = [], {}
    for cell in cells_of(settings, points):
        model, recipe, budget = cell_key(vars(cell.points[0]))
        if (model, cell.benchmark) not in readers:
            readers[model, cell.benchmark] = Reader(settings, model, cell.benchmark)
        reader, found = readers[model, cell.benchmark], {}
        head = {"model": model, "recipe": recipe, "budget": budget, "benchmark": cell.benchmark}
        for cut in (*settings["cuts"], None):
            iteration = max(cell.lengths) if cut is None else cell.reached(cut)
            # One iteration may be the first of several cuts.
            if iteration and iteration not in found:
                found[iteration] = reader.columns(cell, iteration)
            keys = {**head, "seeds": len(cell.points), "cut": cut, "iteration": iteration}
            rows.append({**keys, **found.get(iteration, {})})
    return rows


class Reader:
    """What is measured of the cells of one model on one benchmark, against its base model."""

    def __init__(self, settings: dict, model: str, benchmark: str) -> None:
        self.results, self.benchmark = Path(settings["results"]), benchmark
        self.cap = settings["max_tokens"][benchmark]
        self.budgets = tuple(settings["budgets"] or default_budgets(self.cap))
        self.resampling = Resampling(**settings["resampling"])
        base = self.read(Place(model, None, 0, benchmark))
        self.problem_ids = base.problem_ids
        self.base = self.resampled([base])

    def read(self, place: Place) -> Responses:
        return read_responses(self.results / place.path, self.cap)

    def resampled(self, policies: list[Responses]) -> Group:
        return resample_group(policies, self.problem_ids, self.budgets, self.resampling)

    def columns(self, cell: Cell, iteration: int) -> dict:
        """The columns of a row about one iteration of a cell."""
        seeds = [self.read(Place(point.model, point, iteration, self.benchmark)) for point in cell.points]
        found = contrast(self.base, self.resampled(seeds), self.resampling.level)
        return {
            "accuracy": sum(responses.correct.mean() for responses in seeds) / len(seeds),
            "tokens_mean": cell.lengths[iteration],
            **difference_columns(found, self.budgets),
            **self.spent(cell, iteration),
        }

    def spent(self, cell: Cell, iteration: int) -> dict[str, float]:
        """What training had taken by then: the mean over the seeds."""
        seeds = [self.spent_by(point, iteration) for point in cell.points]
        return {name: round(sum(spent[name] for spent in seeds) / len(seeds)) for name in SPENT}

    def spent_by(self, point: Point, iteration: int) -> dict[str, float]:
        """What the training of one point had taken by then."""
        batches = [training_columns(f"{self.results}/{iteration_folder(point, i)}") for i in range(1, iteration + 1)]
        return {
            "rollouts": sum(batch["rollouts"] for batch in batches),
            # Once a point has stopped, nothing is sampled, and nothing has a mean.
            "tokens_sampled": sum(batch["rollouts"] * (batch["train_tokens_mean"] or 0) for batch in batches),
            # These two are counted since the base model.
            **{name: batches[-1][name] for name in ("updates", "tokens_trained")},
        }
