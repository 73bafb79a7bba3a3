"""The files that a decision to stop a point rests on, and the decision. `folder` is that of the point."""

from opsft.stopping import decide, window
from opsft_flow.files import read_json


def decision_file(folder: str, iteration: int) -> str:
    return f"{folder}/iter{iteration}/stop.json"


def files_read(rules: dict[str, dict], folder: str, iteration: int) -> tuple[list[str], dict[str, list[str]]]:
    """What `rules` read before iteration `iteration` trains: statistics of batches, and evaluations by benchmark, in order."""
    batches, evaluations = window(rules)
    return (
        [f"{folder}/iter{i}/train/filter.json" for i in range(max(1, iteration - batches + 1), iteration + 1)],
        {
            name: [f"{folder}/iter{i}/eval/{name}/metrics.json" for i in range(max(1, iteration - count), iteration)]
            for name, count in evaluations.items()
        },
    )


def take_decision(rules: dict[str, dict], folder: str, iteration: int) -> dict | None:
    """Why the point stops before iteration `iteration` trains: the rule, the last iteration that was trained, and a message.

    None to go on. Raises FileNotFoundError where something that `rules` read has not been measured.
    """
    batches, evaluations = files_read(rules, folder, iteration)
    found = decide(
        rules,
        [read_json(file) for file in batches],
        {name: [read_json(file) for file in files] for name, files in evaluations.items()},
    )
    return {**found, "iteration": iteration - 1} if found else None
