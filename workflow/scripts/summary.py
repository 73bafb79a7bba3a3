"""Tabulate the sweep: points.csv and points.parquet, one row per point, iteration and benchmark, and curves.csv.

training.csv has a row per point and iteration, measured on a benchmark or not. measured_with.csv says with what the numbers of each benchmark were made.
"""

import pandas

from opsft_flow.files import atomic
from opsft_flow.node import node
from opsft_flow.reporting.provenance import measured_with_rows
from opsft_flow.reporting.summary import point_rows

COUNTS = ["rollouts", "kept", "updates", "tokens_trained", "updates_per_batch"]
WHOLE_NUMBERS = ["budget", "seed", "iteration", "stopped_after", "policy_lag", *COUNTS]


def as_frame(rows: list[dict]) -> pandas.DataFrame:
    """Rows as a table; whole numbers stay whole where some are missing."""
    frame = pandas.DataFrame(rows)
    return frame.astype({name: "Int64" for name in WHOLE_NUMBERS if name in frame})


def main() -> None:
    with node(
        __doc__, inputs=(), outputs=("points", "parquet", "curves", "training", "measured_with"), may_take=False
    ) as job:
        points, curves, training = map(as_frame, point_rows(job.settings))
        with atomic(job.points) as temporary:
            points.to_csv(temporary, index=False)
        with atomic(job.parquet) as temporary:
            points.to_parquet(temporary, index=False)
        for path, table in ((job.curves, curves), (job.training, training)):
            with atomic(path) as temporary:
                table.to_csv(temporary, index=False)
        with atomic(job.measured_with) as temporary:
            pandas.DataFrame(measured_with_rows(job.settings)).to_csv(temporary, index=False)
        print(f"{len(points):,} rows", flush=True)


if __name__ == "__main__":
    main()
