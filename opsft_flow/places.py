"""The results tree: what lies where, relative to the results folder.

    problems/{name}.parquet
    {model}/base/policy.json                                       policy 0
    {model}/base/eval/{benchmark}/                                 a place
    {model}/{recipe}/L{budget}/seed{seed}/iter{i}/train/           a place; L-{name} where the budget is a schedule
                                                 /policy.json      policy i
                                                 /eval/{benchmark}/  a place

A *place* is a folder of rollouts and verdicts: training rollouts and benchmarks pass through the same rules. Where its sampling
is cut into shards, they lie in {place}/shards/ until they are put together.
"""

import functools
import re
from dataclasses import dataclass

from opsft_flow.points import Point

PLACE_PATTERN = (
    r"[^/]+/base/eval/[^/]+"
    r"|[^/]+/[^/]+/L(?:[0-9]+|-[^/]+)/seed[0-9]+/iter[0-9]+/train"
    r"|[^/]+/[^/]+/L(?:[0-9]+|-[^/]+)/seed[0-9]+/iter[0-9]+/eval/[^/]+"
)


@dataclass(frozen=True)
class Place:
    """A folder of rollouts: of a benchmark, or of training where `benchmark` is None.

    `point` is None for the base model, which is iteration 0 of every point. A benchmark of iteration i measures policy i.
    """

    model: str
    point: Point | None
    iteration: int
    benchmark: str | None

    @property
    def path(self) -> str:
        above = iteration_folder(self.point, self.iteration) if self.point else f"{self.model}/base"
        return f"{above}/eval/{self.benchmark}" if self.benchmark else f"{above}/train"


@functools.cache
def parse_place(path: str) -> Place:
    """The place at `path`. Raises ValueError where the path is none."""
    if not re.fullmatch(PLACE_PATTERN, path):
        raise ValueError(f"{path!r} is not a folder of rollouts in the results tree")
    parts = path.split("/")
    benchmark = parts[-1] if parts[-2] == "eval" else None
    if parts[1] == "base":
        return Place(parts[0], None, 0, benchmark)
    return Place(parts[0], Point.from_path("/".join(parts[:4])), int(parts[4].removeprefix("iter")), benchmark)


def iteration_folder(point: Point, iteration: int) -> str:
    return f"{point.path}/iter{iteration}"


def parse_iteration(folder: str) -> tuple[str, int]:
    """The path of the point and the number of an iteration, from its folder."""
    point, _, iteration = folder.rpartition("/iter")
    return point, int(iteration)


def sampled_policy(iteration: int, refresh_every: int | None) -> int:
    """The number of the policy that the training rollouts of iteration 1, 2, ... are sampled from.

    It is renewed every `refresh_every` iterations: with 1 it is always the current one, i - 1; with None it stays the base model.
    """
    return (iteration - 1) // refresh_every * refresh_every if refresh_every else 0


def is_measured(iteration: int, every: int, iterations: int) -> bool:
    """True where a benchmark is measured after an iteration: after each `every`-th, and after the last one of `iterations`."""
    return iteration % every == 0 or iteration == iterations


def measured_on(block: dict, iteration: int) -> list[str]:
    """The benchmarks that a point is measured on after an iteration.

    `block` has the point's benchmarks and, where some are not measured after each iteration, `every` of those and the point's iterations.
    """
    every = block.get("every")
    if not every:
        return list(block["benchmarks"])
    return [name for name in block["benchmarks"] if is_measured(iteration, every.get(name, 1), block["iterations"])]


def policy_manifest(model: str, point: Point | None, iteration: int) -> str:
    """The manifest of policy `iteration`; policy 0 is the base model's."""
    if point is None or iteration == 0:
        return f"{model}/base/policy.json"
    return f"{iteration_folder(point, iteration)}/policy.json"


def problem_file(name: str) -> str:
    return f"problems/{name}.parquet"


def shard_file(place: str, shard: int, shards: int) -> str:
    """The rollouts of shard `shard`, from 1 to `shards`; their sidecar lies beside them."""
    return f"{place}/shards/{shard}-of-{shards}.parquet"
