"""Read every result, weights included, and name those whose bytes are not the ones that were written. Nothing is changed."""

import argparse
import json
import pathlib
import sys

from opsft_flow.examination import examine


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True)
    results = pathlib.Path(json.loads(parser.parse_args().settings)["results"])
    checked = damaged = 0
    for _, message in examine(results):
        checked += 1
        if message:
            damaged += 1
            print(f"error: {message}", flush=True)
    print(f"{checked:,} files and folders of weights in {results} were checked: {damaged:,} damaged")
    sys.exit(bool(damaged))


if __name__ == "__main__":
    main()
