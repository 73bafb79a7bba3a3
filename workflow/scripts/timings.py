"""Tabulate where the time of the sweep went: timings.csv, one row per node, and timings_by_node.csv, the sums."""

import pandas

from opsft_flow.files import atomic
from opsft_flow.node import node
from opsft_flow.timings import by_node, timing_rows

WHOLE_NUMBERS = ["budget", "seed", "iteration"]


def main() -> None:
    with node(__doc__, inputs=(), outputs=("timings", "by_node"), may_take=False) as job:
        rows, missing = timing_rows(job.settings)
        table, totals = pandas.DataFrame(rows), pandas.DataFrame(by_node(rows))
        table = table.astype({name: "Int64" for name in WHOLE_NUMBERS if name in table})
        for path, frame in ((job.timings, table), (job.by_node, totals)):
            with atomic(path) as temporary:
                frame.to_csv(temporary, index=False)
        print(f"{len(rows):,} nodes; {missing:,} without a sidecar")
        print(totals.to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
