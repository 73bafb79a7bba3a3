"""Drop weights and optimiser states that no open point needs, never the last of a point, and abandoned scratch folders.

Snakemake is asked which jobs would run: what those read stays, though their results of before are there. Points that the configuration
does not name are left alone. `--keep` is the key of the configuration. Where it is `all`, and with `--dry-run`, nothing is dropped: what would go
is listed, for `all` what `last` would drop.
"""

import argparse
import json
import os
import sys

from opsft_flow.graph.ask_snakemake import decided
from opsft_flow.machine.failure import one_message
from opsft_flow.machine.launch import with_settings
from opsft_flow.machine.printable import make_output_printable
from opsft_flow.machine.runs import living_runs
from opsft_flow.points import Point
from opsft_flow.weights.keep import policy_uses
from opsft_flow.weights.prune import points_on_disk, prune_points

HOW_TO_DROP = "keep is `all`; `snakemake prune --config keep=last` drops what is listed"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--workflow", required=True, type=json.loads)
    parser.add_argument("--keep", required=True, type=json.loads)
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args(with_settings(sys.argv[1:]))
    settings = json.loads(arguments.settings)
    results = settings["results"]
    only_look = arguments.dry_run or arguments.keep == "all"
    if not only_look and (runs := living_runs(results)):
        sys.exit(
            f"error: nothing was dropped: {results} is being worked in by {'; '.join(runs)}. Prune when that has ended"
        )
    with decided(arguments.workflow) as graph:
        uses = list(policy_uses(graph.needrun_jobs(), results).values())
    blocks = {Point(b["model"], b["recipe"], b["budget"], b["seed"]): b for b in settings["points"]}
    keep, freed = "last" if arguments.keep == "all" else arguments.keep, 0
    for folder, size in prune_points(results, blocks, keep, uses, only_look):
        freed += size
        print(f"{'would drop' if only_look else 'dropped'} {folder} ({size / 1e6:,.1f} MB)")
    for point in points_on_disk(results):
        if point not in blocks:
            print(f"left alone, not in the sweep: {point.path}")
    print(f"{freed / 1e6:,.1f} MB {'would be ' if only_look else ''}freed")
    if only_look:
        print(f"nothing was dropped: {HOW_TO_DROP if arguments.keep == 'all' else 'this was a dry run'}")


if __name__ == "__main__":
    make_output_printable()
    with one_message(os.getcwd()):
        main()
