"""Tabulate where the time of the sweep went: timings.csv, one row per node; timings_by_node.csv, the sums; costs.csv, what each point took."""

import pandas

from opsft_flow.files import atomic
from opsft_flow.node import node
from opsft_flow.reporting.costs import COST_COLUMNS, cost_rows
from opsft_flow.reporting.timings import by_node, timing_rows

WHOLE_NUMBERS = ["budget", "seed", "iteration"]


def whole(table: pandas.DataFrame) -> pandas.DataFrame:
    return table.astype({name: "Int64" for name in WHOLE_NUMBERS if name in table})


def main() -> None:
    with node(__doc__, inputs=(), outputs=("timings", "by_node", "costs"), may_take=False) as job:
        rows, missing = timing_rows(job.settings)
        totals = pandas.DataFrame(by_node(rows))
        costs = pandas.DataFrame(cost_rows(job.settings), columns=COST_COLUMNS)
        tables = ((job.timings, whole(pandas.DataFrame(rows))), (job.by_node, totals), (job.costs, whole(costs)))
        for path, frame in tables:
            with atomic(path) as temporary:
                frame.to_csv(temporary, index=False)
        print(f"{len(rows):,} nodes; {missing:,} without a sidecar")
        print(totals.to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
