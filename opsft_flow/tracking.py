"""A point's run in Weights & Biases: its identity, its steps, and the process that writes it.

    python -m opsft_flow.tracking PAYLOAD.json

The writer is a process of its own, so that a server that does not answer can be given up on by killing it.
"""

import contextlib
import hashlib
import io
import json
import re
import sys
from pathlib import Path

from opsft_flow.files import read_json
from opsft_flow.places import Place, iteration_folder, measured_on
from opsft_flow.points import Point
from opsft_flow.segments import Segments

LONGEST_NAME, LONGEST_TAG = 128, 64
"""The characters that W&B allows."""


def run_identity(project: str, point: Point, config: dict) -> dict:
    """Id, name, group and tags of a point's run.

    The id is a hash of the project and of all that makes the point, its number of iterations aside: the same point continues its
    run, and one with other settings begins another.
    """
    identity = hashlib.sha256(json.dumps([project, point.path, config], sort_keys=True).encode()).hexdigest()[:16]
    return {
        "id": identity,
        "name": shortened(point.path, LONGEST_NAME),
        "group": shortened(f"{point.model}/{point.recipe}", LONGEST_NAME),
        "tags": [
            shortened(tag, LONGEST_TAG) for tag in (point.model, point.recipe, point.budget_name, f"seed {point.seed}")
        ],
    }


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` characters; the end of a longer one is a hash, so that two never become one."""
    if len(text) <= limit:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: limit - len(digest) - 1]}-{digest}"


def steps_of(results: str, point: Point, block: dict, iteration: int) -> list[dict[str, float]]:
    """What was measured, one dict a step: step 0 is the base model, step i what iteration i measured.

    `block` has the point's benchmarks, as `measured_on` takes it.
    """
    base = {name: f"{results}/{Place(point.model, None, 0, name).path}/metrics.json" for name in block["benchmarks"]}
    steps = [{"iteration": 0, **evaluation(base)}]
    for i in range(1, iteration + 1):
        folder = f"{results}/{iteration_folder(point, i)}"
        statistics, manifest = read_json(f"{folder}/train/filter.json"), read_json(f"{folder}/policy.json")
        names = measured_on(block, i)
        after = {name: f"{results}/{Place(point.model, point, i, name).path}/metrics.json" for name in names}
        steps.append(
            {
                "iteration": i,
                **flatten("filter", statistics),
                **flatten("sft", manifest["metrics"] or {}),
                "sft/copied": float(manifest["copied"]),
                "sft/stopped": float(manifest["stopped"] is not None),
                **evaluation(after),
            }
        )
    return steps


def outcome_of(results: str, point: Point, iteration: int) -> dict[str, object]:
    """What the run's summary says of a point that has stopped: by which rule, after which iteration, and why."""
    stopped = read_json(f"{results}/{iteration_folder(point, iteration)}/policy.json")["stopped"] or {}
    return {f"stopped/{key}": value for key, value in stopped.items()}


def forget_later(results: str, point: Point, iteration: int) -> None:
    """Remove what says that later iterations are tracked: the unsent steps of a run have just been written anew without them.

    Where the sweep has been shortened these results lie outside of it, and would be taken for done when it is lengthened again.
    """
    for file in Path(results, point.path).glob("iter*/tracked.json"):
        number = file.parent.name.removeprefix("iter")
        if re.fullmatch("[1-9][0-9]*", number) and int(number) > iteration:
            file.unlink()


def evaluation(files: dict[str, str]) -> dict[str, float]:
    """The estimates of each benchmark; its budget curve and its counts of reasons aside."""
    values: dict[str, float] = {}
    for name, file in files.items():
        metrics = {key: value for key, value in read_json(file).items() if key not in ("budget_curve", "reasons")}
        if metrics["difference"]:
            metrics["difference"].pop("budget_curve")
        values |= flatten(f"eval/{name}", metrics)
    return values


def flatten(prefix: str, value: object) -> dict[str, float]:
    """Nested dicts of numbers as {"a/b/c": number}; an estimate's `value` goes by the estimate's own name."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return {}
    if isinstance(value, dict):
        pairs = [(prefix if key == "value" else f"{prefix}/{key}", part) for key, part in value.items()]
        return {name: number for key, part in pairs for name, number in flatten(key, part).items()}
    return {prefix: value}


def write_run(payload: dict) -> None:
    """Bring the run up to its last step. Steps that the server has already are not sent again.

    An offline run is a row of segments, each with the steps that those before it lack; `wandb sync` appends them to each other. A segment
    never resumes: W&B numbers the steps of one that does anew when it is sent.
    """
    import wandb

    segments = Segments(Path(payload["folder"]), f"{payload['entity'] or ''}/{payload['identity']['id']}")
    offline = payload["mode"] == "offline"
    first = segments.sent_steps() if offline else 0
    segments.drop_unsent()
    if offline and first >= len(payload["steps"]):
        return
    segments.folder.mkdir(parents=True, exist_ok=True)
    run = wandb.init(
        mode=payload["mode"],
        project=payload["project"],
        entity=payload["entity"],
        dir=payload["folder"],
        config=payload["config"],
        resume=None if offline else "allow",
        settings=wandb.Settings(console="off", x_disable_stats=True, silent=True, init_timeout=payload["timeout_s"]),
        **payload["identity"],
    )
    # Charts then go by the iteration, whatever number W&B gives to a step.
    run.define_metric("iteration")
    run.define_metric("*", step_metric="iteration")
    first = max(first, run.step)
    for step, values in enumerate(payload["steps"][first:], first):
        run.log(values, step=step)
    run.summary.update({**last_values(payload["steps"]), **payload["summary"]})
    run.finish()
    segments.note(Path(run.dir).parent.name if offline else None, len(payload["steps"]))


def last_values(steps: list[dict[str, float]]) -> dict[str, float]:
    """The last value of each metric: the summary of a segment stands for the whole run."""
    return {name: value for values in steps for name, value in values.items()}


def has_key() -> bool:
    """True where W&B finds an API key: in WANDB_API_KEY, or where `wandb login` has put it. Asks no server."""
    import wandb

    with contextlib.redirect_stderr(io.StringIO()):
        return wandb.login(prompt=False, verify=False)


if __name__ == "__main__":
    write_run(read_json(sys.argv[1]))
