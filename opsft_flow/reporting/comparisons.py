"""The tables that compare points with each other, from their rollouts and verdicts after the last iteration.

What is compared was measured on the same problems under the same cap: the points of one model on one benchmark.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from opsft.estimators.bootstrap import Estimate, Resampling
from opsft.estimators.pairs import compare_pairs
from opsft.estimators.responses import Responses
from opsft.estimators.seeds import PooledSeeds, pool_seeds
from opsft_flow.places import Place
from opsft_flow.points import Point
from opsft_flow.reporting.summary import estimate_columns
from opsft_flow.responses import read_responses

POINT = ("recipe", "budget", "seed", "iteration")
MEASURES = ("accuracy", "tokens_mean")
PAIR_COLUMNS = [
    "model",
    "benchmark",
    *(f"{side}_{name}" for side in ("first", "second") for name in (*POINT, *MEASURES)),
    *(f"{name}{end}" for name in ("accuracy_diff", "tokens_ratio") for end in ("", "_low", "_high")),
]


@dataclass(frozen=True)
class Group:
    """The base model's responses to one benchmark, and those of each point of that model: (iteration, responses)."""

    model: str
    benchmark: str
    base: Responses
    points: dict[Point, tuple[int, Responses]]


def read_groups(settings: dict) -> Iterator[Group]:
    """One group for each model and benchmark; `settings` are those of the compare node."""
    results = Path(settings["results"])
    for model, benchmarks in settings["base"].items():
        for name in benchmarks:
            cap = settings["max_tokens"][name]
            points = {}
            for block in settings["points"]:
                if block["model"] == model and name in block["benchmarks"]:
                    point = Point(model, block["recipe"], block["budget"], block["seed"])
                    place = Place(model, point, block["iterations"], name)
                    points[point] = (block["iterations"], read_responses(results / place.path, cap))
            base = read_responses(results / Place(model, None, 0, name).path, cap)
            yield Group(model, name, base, points)


def pair_rows(group: Group, resampling: dict) -> list[dict]:
    """A row for each two points: the second's accuracy minus the first's, its mean length over the first's."""
    points = list(group.points.items())
    pairs = compare_pairs([responses for _, (_, responses) in points], Resampling(**resampling))
    return [
        {
            "model": group.model,
            "benchmark": group.benchmark,
            **side_columns("first", *points[pair.first]),
            **side_columns("second", *points[pair.second]),
            **columns("accuracy_diff", pair.accuracy),
            **columns("tokens_ratio", pair.tokens_ratio),
        }
        for pair in pairs
    ]


def side_columns(side: str, point: Point, measured: tuple[int, Responses]) -> dict:
    iteration, responses = measured
    values = (point.recipe, point.budget, point.seed, iteration, responses.correct.mean(), responses.lengths.mean())
    return {f"{side}_{name}": value for name, value in zip((*POINT, *MEASURES), values, strict=True)}


def recipe_rows(group: Group, resampling: dict) -> list[dict]:
    """A row for each recipe and budget: the means over its seeds, and against the base model."""

    def cell(item: tuple[Point, tuple[int, Responses]]) -> tuple[str, bool, int | str]:
        # A name and a number have no order: schedules come after budgets.
        return item[0].recipe, item[0].schedule is not None, item[0].budget

    rows = []
    for (recipe, _, budget), items in itertools.groupby(sorted(group.points.items(), key=cell), key=cell):
        iterations, seeds = zip(*(measured for _, measured in items), strict=True)
        keys = {"model": group.model, "recipe": recipe, "budget": budget, "iteration": iterations[0]}
        size = {"problems": len(group.base.problem_ids), "samples": seeds[0].correct.shape[1]}
        pooled = pool_seeds(seeds, group.base, Resampling(**resampling))
        rows.append({**keys, "benchmark": group.benchmark, **size, **pooled_columns(pooled)})
    return rows


def pooled_columns(pooled: PooledSeeds) -> dict:
    return {
        "seeds": pooled.seeds,
        **columns("accuracy", pooled.accuracy),
        **columns("accuracy_per_1000_tokens", pooled.accuracy_per_1000_tokens),
        "accuracy_sd": pooled.accuracy_sd,
        "tokens_mean": pooled.tokens.value,
        "tokens_low": pooled.tokens.low,
        "tokens_high": pooled.tokens.high,
        **columns("accuracy_diff", pooled.accuracy_diff),
        **columns("tokens_ratio", pooled.tokens_ratio),
    }


def columns(name: str, estimate: Estimate) -> dict:
    return estimate_columns(name, vars(estimate))
