"""Apply selection rules to the training rollouts that are on disk, and tabulate what each would keep. Nothing is sampled or trained.

The table goes to replay.csv beside the other tables of the sweep; on the terminal each chain of rules has one line, over all places.
"""

import argparse
import json
from pathlib import Path

import pandas

from opsft_flow.files import atomic
from opsft_flow.replay import replay_rows

WHOLE_NUMBERS = ["budget", "seed", "iteration", "rollouts", "kept", "prompts", "prompts_kept"]


def totals(table: pandas.DataFrame) -> pandas.DataFrame:
    """What each chain of rules keeps of all places together; lengths are means over rollouts."""
    weighted = table.assign(all_tokens=table["tokens_mean"] * table["rollouts"])
    weighted["kept_tokens"] = weighted["kept_tokens_mean"].astype(float) * weighted["kept"]
    sums = weighted.groupby("rules", sort=False).sum(numeric_only=True)
    return pandas.DataFrame(
        {
            "kept": sums["kept"],
            "share": sums["kept"] / sums["rollouts"],
            "prompts": sums["prompts_kept"],
            "tokens before": sums["all_tokens"] / sums["rollouts"],
            "tokens after": sums["kept_tokens"] / sums["kept"],
        }
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True)
    settings = json.loads(parser.parse_args().settings)
    rows = list(replay_rows(settings))
    if not rows:
        print(f"no point of the sweep has graded rollouts below {settings['results']}")
        return
    table = pandas.DataFrame(rows).astype({name: "Int64" for name in WHOLE_NUMBERS})
    path = Path(settings["results"], settings["summary"], "replay.csv")
    with atomic(path) as temporary:
        table.to_csv(temporary, index=False)
    places = len(table.drop_duplicates(["model", "recipe", "budget", "schedule", "seed", "iteration"]))
    print(totals(table).to_string(float_format="{:.3f}".format))
    print(f"over {places} iterations of the sweep; {path} has a row for each of them")


if __name__ == "__main__":
    main()
