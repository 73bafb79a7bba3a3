"""Compare each two points after their last iteration (pairs.csv), and pool the seeds of each recipe (recipes.csv)."""

import pandas

from opsft_flow.comparisons import PAIR_COLUMNS, pair_rows, read_groups, recipe_rows
from opsft_flow.files import atomic
from opsft_flow.node import node


def main() -> None:
    with node(__doc__, inputs=(), outputs=("pairs", "recipes"), may_take=False) as job:
        pairs, recipes = [], []
        with job.phase("estimate"):
            for group in read_groups(job.settings):
                pairs += pair_rows(group, job.settings["resampling"])
                recipes += recipe_rows(group, job.settings["resampling"])
        tables = {job.pairs: pandas.DataFrame(pairs, columns=PAIR_COLUMNS), job.recipes: pandas.DataFrame(recipes)}
        for path, table in tables.items():
            with atomic(path) as temporary:
                table.to_csv(temporary, index=False)
        print(f"{len(pairs):,} pairs, {len(recipes):,} recipes", flush=True)


if __name__ == "__main__":
    main()
