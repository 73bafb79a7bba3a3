"""The points of a sweep: (model, recipe, budget, seed)."""

import functools
import itertools
from dataclasses import dataclass

from opsft_flow.errors import ConfigError


@dataclass(frozen=True)
class Point:
    """One cell of the sweep; its path below the results folder is its name.

    The budget is a number of tokens (its folder is L40, say), or the name of a schedule (L-name).
    """

    model: str
    recipe: str
    budget: int | str
    seed: int

    @property
    def path(self) -> str:
        dash = "-" if self.schedule else ""
        return f"{self.model}/{self.recipe}/L{dash}{self.budget}/seed{self.seed}"

    @property
    def schedule(self) -> str | None:
        """The name of the schedule, or None where the budget is constant."""
        return self.budget if isinstance(self.budget, str) else None

    @property
    def budget_name(self) -> str:
        """The budget in words."""
        return f"schedule {self.schedule}" if self.schedule else f"budget {self.budget}"

    @classmethod
    @functools.cache
    def from_path(cls, path: str) -> "Point":
        model, recipe, budget, seed = path.split("/")
        name = budget.removeprefix("L")
        return cls(model, recipe, name[1:] if name[0] == "-" else int(name), int(seed.removeprefix("seed")))


def expand_sweep(sweep: list[dict]) -> dict[Point, tuple[str, ...]]:
    """Every point of the sweep with its benchmarks, in the order of the configuration.

    Raises ConfigError where a point occurs twice, within a block or in two of them.
    """
    points: dict[Point, tuple[str, ...]] = {}
    first_block: dict[Point, int] = {}
    for number, block in enumerate(sweep):
        for cell in itertools.product(block["models"], block["recipes"], block["budgets"], block["seeds"]):
            point = Point(*cell)
            if point in points:
                raise ConfigError(
                    f"sweep: point {point.path} occurs twice (blocks {first_block[point]} and {number}); "
                    "each point may occur once"
                )
            first_block[point] = number
            points[point] = tuple(dict.fromkeys(block["benchmarks"]))
    return points
