"""Draw the figures of the sweep as svg and png, all in the folder of `--pareto`."""

import pathlib

from opsft_flow.figures import budget_curves, over_iterations, pareto, save
from opsft_flow.node import node
from opsft_flow.reporting.csv_tables import read_csv_table
from opsft_flow.tables import read_parquet


def main() -> None:
    with node(__doc__, inputs=("points", "curves"), outputs=("pareto",), may_take=False) as job:
        folder = pathlib.Path(job.pareto).parent
        points, curves = read_parquet(job.points).to_pandas(), read_csv_table(job.curves)
        for name, figure in (
            ("pareto", pareto(points)),
            ("budget_curves", budget_curves(curves)),
            ("iterations", over_iterations(points)),
        ):
            save(figure, folder / name)


if __name__ == "__main__":
    main()
