"""Build the page of the sweep, one HTML file, from the tables and from what the results tree holds, and say in sentences what was found (findings.md)."""

from opsft_flow.files import atomic
from opsft_flow.node import node
from opsft_flow.page.build import build
from opsft_flow.page.content import page_data, run_data
from opsft_flow.reporting.csv_tables import read_csv_table
from opsft_flow.reporting.findings import findings
from opsft_flow.tables import read_parquet


def main() -> None:
    tables = ("points", "curves", "training", "recipes", "pairs", "by_node", "contrasts", "cuts", "costs")
    with node(__doc__, inputs=tables, outputs=("findings", "page"), may_take=False) as job:
        with job.phase("read"):
            points = read_parquet(job.points).to_pandas()
            tables = map(read_csv_table, (job.curves, job.training, job.recipes, job.pairs))
            data = page_data(job.settings, points, *tables)
            runs = run_data(job.settings, read_csv_table(job.by_node))
            found = findings(points, *map(read_csv_table, (job.cuts, job.contrasts, job.costs)))
        with job.phase("write"):
            with atomic(job.findings) as temporary:
                temporary.write_text(found, encoding="utf-8")
            html = build(data, runs)
            with atomic(job.page) as temporary:
                temporary.write_text(html, encoding="utf-8")
        print(f"{len(points):,} rows, {len(html) / 1e6:.2f} MB: open it in a browser", flush=True)


if __name__ == "__main__":
    main()
