"""A whole run of TRL's GRPO, to lay beside a run of the workflow."""

import itertools
import pathlib
import shutil

from benchmarks.child import measure_in_child
from benchmarks.watch import Watched


def train_by_grpo(job: dict, folder: pathlib.Path, python: str) -> tuple[dict, list[dict], dict[int, pathlib.Path]]:
    """Run a job of grpo_job.py: the run as a whole, its iterations, and the policies that it left in `folder`.

    All sums of an iteration are those since the start, and seconds those from the start of the process, laying policies aside not
    included. Every rollout passes the model, right or wrong: as many tokens are trained on as are sampled.
    """
    run = measure_in_child("benchmarks.grpo_trl", {**job, "folder": str(folder)}, python)
    watched, measured = Watched(**run.pop("process")), run.pop("iterations")
    sampled = itertools.accumulate(row["tokens_sampled"] for row in measured)
    rows = [
        {
            "iteration": row["iteration"],
            "seconds": round(row["ended"] - watched.began, 2),
            "work_s": row["work_s"],
            "reward": row["reward"],
            "tokens_sampled": tokens,
            "tokens_trained": tokens,
        }
        for row, tokens in zip(measured, sampled, strict=True)
    ]
    whole = {
        "peak_memory_mb": watched.peak_memory_mb,
        "load_s": run["load_s"],
        "microbatch": job["microbatch"],
        "versions": run["versions"],
    }
    return whole, rows, policies_left(job, folder)


def policies_left(job: dict, folder: pathlib.Path) -> dict[int, pathlib.Path]:
    """The policies that a run has left in `folder`, by iteration; each is given the configuration of the base model back.

    TRL writes the tokenizer's padding token into it, and an engine takes no policy whose configuration is another than that of its first.
    """
    left = {i: folder / f"iteration-{i}" for i in range(1, job["iterations"] + 1)}
    there = {i: path for i, path in left.items() if path.exists()}
    for path in there.values():
        shutil.copy(pathlib.Path(job["checkpoint"], "config.json"), path / "config.json")
    return there
