"""The sampling of a place, cut into shards that can run at once, and put together again as if there had been one job.

A shard takes whole groups of requests, which the engine decodes together anyway. So a response does not depend on the
number of shards, to the last bit where an engine decodes group by group, and the gathered table is that of one job.
"""

import itertools
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from opsft.engines import Request, groups
from opsft_flow.integrity import SIDECAR, Damaged, read_sealed, remedy_of
from opsft_flow.tables import read_parquet


def requests_of(requests: Sequence[Request], max_sequences: int, shard: int, shards: int) -> list[int]:
    """Ascending indices of the requests of shard `shard` (1 to `shards`): every `shards`-th group, so possibly none."""
    return sorted(i for group in groups(requests, max_sequences)[shard - 1 :: shards] for i in group)


def gather(paths: list[str], problem_ids: list[str], samples: int, schema: pa.Schema) -> pa.Table:
    """The rows of all shards, in the order of `problem_ids` and of the samples of each.

    Raises ValueError where there are not `samples` rows for each problem.
    """
    table = pa.concat_tables([read_parquet(path, schema=schema) for path in paths])
    position = pc.index_in(table["problem_id"], value_set=pa.array(problem_ids, pa.string()))
    if position.null_count or len(table) != len(problem_ids) * samples:
        raise ValueError(
            f"{', '.join(paths)}: {len(table)} rollouts found, {position.null_count} of them of other problems; "
            f"{samples} of each of {len(problem_ids)} problems are needed"
        )
    keys = pa.table({"position": position, "sample": table["sample"]})
    order = pc.sort_indices(keys, sort_keys=[("position", "ascending"), ("sample", "ascending")])
    found = list(zip(*keys.take(order).to_pydict().values(), strict=True))
    if found != list(itertools.product(range(len(problem_ids)), range(samples))):
        raise ValueError(f"{', '.join(paths)}: some rollouts occur twice, and others are missing")
    return table.take(order).combine_chunks()


def run_of(path: str) -> dict:
    """What the sidecar of a shard says of its run."""
    sidecar = path.replace(".parquet", SIDECAR)
    found = read_sealed(sidecar)
    if found is None:
        raise Damaged(f"{sidecar}: no sidecar of a shard. {remedy_of(sidecar)}")
    return found["run"]


def gathered_facts(runs: list[dict]) -> dict:
    """What the sidecar of a gathered place says: the runs of its shards, their tokens, and the rate over the slowest."""
    tokens = sum(run["tokens"] for run in runs)
    slowest = max(run["phases"].get("sample", 0.0) for run in runs)
    rate = tokens / slowest if slowest else 0.0
    return {"shards": len(runs), "shard_runs": runs, "tokens": tokens, "tokens_per_second": round(rate, 1)}
