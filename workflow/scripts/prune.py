"""Delete weights and optimiser states that no open point needs, never the last of a point, and abandoned scratch folders."""

import argparse
import json
import shutil

from opsft_flow.prune import abandoned_scratch, droppable


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True)
    settings = json.loads(parser.parse_args().settings)
    freed = 0
    results = settings["results"]
    for folder in [*droppable(results, settings["points"]), *abandoned_scratch(results, settings["points"])]:
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        shutil.rmtree(folder)
        freed += size
        print(f"dropped {folder} ({size / 1e6:,.1f} MB)")
    print(f"{freed / 1e6:,.1f} MB freed")


if __name__ == "__main__":
    main()
