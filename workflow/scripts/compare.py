"""Compare the points with each other: each two of them (pairs.csv), and the seeds of each recipe together.

recipes.csv has their means after the last iteration, contrasts.csv each two recipes and each two budgets, and cuts.csv how soon
each is how much shorter.
"""

import pandas

from opsft.estimators.bootstrap import Resampling
from opsft_flow.files import atomic
from opsft_flow.node import node
from opsft_flow.reporting.comparisons import PAIR_COLUMNS, pair_rows, read_groups, recipe_rows
from opsft_flow.reporting.contrasts import CONTRAST_COLUMNS, contrast_rows
from opsft_flow.reporting.cuts import CUT_COLUMNS, cut_rows
from opsft_flow.tables import read_parquet

WHOLE_NUMBERS = (
    "iteration",
    "curve_budgets",
    "curve_above",
    "curve_below",
    "curve_lowest_at",
    "rollouts",
    "tokens_sampled",
    "updates",
    "tokens_trained",
)


def main() -> None:
    outputs = ("pairs", "recipes", "contrasts", "cuts")
    with node(__doc__, inputs=("points",), outputs=outputs, may_take=False) as job:
        pairs, recipes, contrasts, settings = [], [], [], job.settings
        with job.phase("estimate"):
            for group in read_groups(settings):
                pairs += pair_rows(group, settings["resampling"])
                recipes += recipe_rows(group, settings["resampling"])
                contrasts += contrast_rows(group, settings["budgets"], Resampling(**settings["resampling"]))
            cuts = cut_rows(settings, read_parquet(job.points).to_pandas())
        tables = {
            job.pairs: pandas.DataFrame(pairs, columns=PAIR_COLUMNS),
            job.recipes: pandas.DataFrame(recipes),
            job.contrasts: pandas.DataFrame(contrasts, columns=CONTRAST_COLUMNS),
            job.cuts: pandas.DataFrame(cuts, columns=CUT_COLUMNS).astype(dict.fromkeys(WHOLE_NUMBERS, "Int64")),
        }
        for path, table in tables.items():
            with atomic(path) as temporary:
                table.to_csv(temporary, index=False)
        print(", ".join(f"{len(table):,} rows in {path}" for path, table in tables.items()), flush=True)


if __name__ == "__main__":
    main()
