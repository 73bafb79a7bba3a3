"""Which decisions to stop a point are still to be taken, and which stand.

A decision rests on evaluations, and training rests on it. Snakemake runs everything again that comes after a node that runs again,
whatever that node then says: were a decision a node like any other, more bootstrap resamples would train every policy again,
and so would a rule that is added and never holds. So a decision is a node only while it has to be taken. One
that today's rules would take again, from what has been measured, stands: its file is there and no rule makes it. What was trained
without one, and would have been trained with it, needs none.
"""

import enum
import json
import os

from opsft_flow.files import read_json
from opsft_flow.graph.decisions import decision_file, take_decision
from opsft_flow.integrity import Damaged, read_sealed
from opsft_flow.places import iteration_folder, policy_manifest, problem_file
from opsft_flow.points import Point


class Gate(enum.Enum):
    """What stands before the training of an iteration: no decision, one that stands, or one that is to be taken."""

    NONE = enum.auto()
    STANDS = enum.auto()
    OPEN = enum.auto()


def gates_of(plan, point: Point) -> dict[int, Gate]:
    """The gate of every iteration of a point, from its rules and from what lies on disk."""
    rules, folder = plan.stop_rules(point), plan.path(point.path)
    taken = {i: read_if_there(decision_file(folder, i)) for i in plan.iterations(point)}
    if not rules and not any(taken.values()):
        return dict.fromkeys(taken, Gate.NONE)
    gates, steady, stopped = {}, True, False
    for i, decision in taken.items():
        # Once something is to run again, all later decisions are new ones.
        steady = steady and all(is_made(*node) for node in training_nodes(plan, point, i))
        if steady:
            try:
                stopped = stopped or bool(rules and take_decision(rules, folder, i))
                steady = stopped == bool(read_json(f"{folder}/iter{i}/policy.json")["stopped"])
            except (FileNotFoundError, Damaged):
                steady = False
        if steady and decision and stopped == bool(decision["stopped"]):
            gates[i] = Gate.STANDS
        elif rules and not (steady and not stopped and decision is None):
            gates[i] = Gate.OPEN
        else:
            gates[i] = Gate.NONE
    return gates


def training_nodes(plan, point: Point, iteration: int) -> list[tuple[str, str]]:
    """Sidecar and settings of the nodes that trained policy `iteration` from the one before, and of what they began with."""
    folder = iteration_folder(point, iteration)
    problems = plan.recipe(point)["problems"]
    nodes = [
        (policy_manifest(point.model, None, 0), plan.base_settings(point.model)),
        (problem_file(problems), plan.problem_settings(problems)),
        (f"{folder}/train/rollouts.parquet", plan.generate_settings(f"{folder}/train")),
        (f"{folder}/train/verdicts.parquet", plan.verify_settings(f"{folder}/train")),
        (f"{folder}/train/filter.json", plan.filter_settings(point.path, iteration)),
        (f"{folder}/policy.json", plan.sft_settings(point.path, iteration)),
    ]
    return [(f"{os.path.splitext(plan.path(file))[0]}.run.json", settings) for file, settings in nodes]


def is_made(sidecar: str, settings: str) -> bool:
    """True where a result lies on disk that was made with `settings`."""
    found = read_sealed(sidecar)
    return found is not None and found["settings"] == json.loads(settings)


def read_if_there(path: str) -> dict | None:
    """A decision that stands; None where there is none, or a damaged one, which is named by the node that reads it."""
    try:
        return read_json(path)
    except (FileNotFoundError, Damaged):
        return None
