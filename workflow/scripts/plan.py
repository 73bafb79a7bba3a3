"""Print the points of the sweep and how far each has come, without running any of it."""

import argparse
import json
import os

from opsft_flow.files import read_json
from opsft_flow.integrity import Damaged
from opsft_flow.places import iteration_folder, measured_on
from opsft_flow.points import Point


def last_decision(manifests: list[str]) -> tuple[dict | None, str | None]:
    """Why a point has stopped, by the last of its manifests; and what is wrong with that one."""
    try:
        return (read_json(manifests[-1])["stopped"] if manifests else None), None
    except Damaged as error:
        return None, str(error)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--settings", required=True)
    settings = json.loads(parser.parse_args().settings)
    nodes = 0
    for block in settings["points"]:
        point = Point(block["model"], block["recipe"], block["budget"], block["seed"])
        iterations, benchmarks = block["iterations"], block["benchmarks"]
        manifests = [
            f"{settings['results']}/{iteration_folder(point, i)}/policy.json" for i in range(1, iterations + 1)
        ]
        trained = [file for file in manifests if os.path.exists(file)]
        stopped, damaged = last_decision(trained)
        nodes += 4 * iterations + 3 * sum(len(measured_on(block, i)) for i in range(1, iterations + 1))
        print(f"{point.path}: {len(trained)} of {iterations} iterations done; measured on {', '.join(benchmarks)}")
        if stopped:
            print(f"    stopped after iteration {stopped['iteration']}, {stopped['rule']}: {stopped['message']}")
        if damaged:
            print(f"    {damaged}")
    for model, benchmarks in settings["base"].items():
        nodes += 3 * len(benchmarks)
        print(f"{model}/base: measured on {', '.join(benchmarks)}")
    print(f"{len(settings['points'])} points, {nodes:,} nodes that sample, grade, filter, train or evaluate")
    print("`snakemake why` lists those that would run now, each with its reason")


if __name__ == "__main__":
    main()
