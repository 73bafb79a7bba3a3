"""Drop weights and optimiser states that no open point needs, never the last of a point, and abandoned scratch folders.

`--keep` is the key of the configuration: with {every: k} each k-th policy stays. `all` is about what goes by itself, so nothing more stays.
"""

import argparse
import json

from opsft_flow.points import Point
from opsft_flow.prune import points_on_disk, prune_point


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True)
    parser.add_argument("--keep", required=True, type=json.loads)
    arguments = parser.parse_args()
    settings = json.loads(arguments.settings)
    blocks = {Point(b["model"], b["recipe"], b["budget"], b["seed"]): b for b in settings["points"]}
    keep, freed = "last" if arguments.keep == "all" else arguments.keep, 0
    for point in points_on_disk(settings["results"]):
        for folder, size in prune_point(settings["results"], point, blocks.get(point), keep):
            freed += size
            print(f"dropped {folder} ({size / 1e6:,.1f} MB)")
    print(f"{freed / 1e6:,.1f} MB freed")


if __name__ == "__main__":
    main()
