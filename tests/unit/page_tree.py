"""A small sweep made by hand: its results tree, its tables, and the settings of its page."""

import itertools
from pathlib import Path

import pandas

from opsft_flow.files import write_json
from opsft_flow.reporting.comparisons import MEASURES, PAIR_COLUMNS, POINT
from opsft_flow.tables import PROBLEM, ROLLOUT, VERDICT, write_table

HOSTILE = (
    "</script><script>document.title = 'owned'</script><!-- <img src=x onerror=\"document.title = 'owned'\"> \u2028"
)
BASE_TOKENS = (10, 20, 30, 40, 50, 60)
"""Tokens of the base model's first response to each problem; it is wrong on the last."""

# Tokens of each last policy's first responses, and to which problems they are right.
POLICIES = {12: ((9, 8, 7, 6, 5, 4), (1, 1, 1, 1, 0, 1)), 24: ((10, 15, 10, 45, 20, 30), (1, 1, 1, 1, 1, 0))}
ITERATIONS = 2


def write_tree(results: Path) -> dict:
    """Write the results of two points of two iterations on one benchmark; the settings of the page node."""
    problems = [
        {
            "problem_id": f"p{i}",
            "prompt": [{"role": "user", "content": f"question {i}"}],
            "answer": str(i),
            "source": None,
            "level": None,
        }
        for i in range(len(BASE_TOKENS))
    ]
    write_table(make(results / "problems/test.parquet"), problems, PROBLEM)
    write_place(results / "m/base/eval/sums", BASE_TOKENS, (1, 1, 1, 1, 1, 0), "wait wait", start=90)
    write_json(results / "m/base/policy.run.json", sidecar("base", 0, {"model": {"source": "models/m"}}))
    for budget, (tokens, right) in POLICIES.items():
        for i in range(1, ITERATIONS + 1):
            write_iteration(results / f"m/r/L{budget}/seed0/iter{i}", budget, 10 * i)
            write_place(results / f"m/r/L{budget}/seed0/iter{i}/eval/sums", tokens, right, HOSTILE, start=10 * i + 5)
    point = {"model": "m", "recipe": "r", "seed": 0, "iterations": ITERATIONS, "benchmarks": ["sums"], "tracked": []}
    return {
        "results": str(results),
        "points": [{**point, "budget": budget} for budget in POLICIES],
        "base": {"m": ["sums"]},
        "problems": {"sums": "test"},
    }


def make(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def write_place(folder: Path, tokens: tuple, right: tuple, text: str, start: int) -> None:
    """Two responses to each problem, of which the second must never be shown."""
    rollouts, verdicts = [], []
    for (i, (length, correct)), sample in itertools.product(enumerate(zip(tokens, right, strict=True)), (0, 1)):
        key = {"problem_id": f"p{i}", "sample": sample}
        shown = f"{text} {i}" if sample == 0 else "the second sample"
        rollouts.append({**key, "text": shown, "tokens": length, "finish_reason": "stop"})
        correct = bool(correct) and sample == 0
        verdict = {
            "correct": correct,
            "matched": correct,
            "answer": str(i),
            "reason": "correct" if correct else "wrong",
        }
        verdicts.append({**key, **verdict})
    write_table(make(folder / "rollouts.parquet"), rollouts, ROLLOUT)
    write_table(folder / "verdicts.parquet", verdicts, VERDICT)
    settings = {"rollouts": {"samples": 2, "temperature": 1.0}}
    write_json(folder / "rollouts.run.json", sidecar("generate", start, settings, phases={"sample": 2.0}, rate=50.0))
    write_json(folder / "verdicts.run.json", sidecar("verify", start + 1, {"verifier": "integer"}))
    write_json(folder / "metrics.run.json", sidecar("evaluate", start + 2, {"evaluate": {"level": 0.95}}))


def write_iteration(folder: Path, budget: int, start: int) -> None:
    rollouts = {"rollouts": {"max_tokens": budget, "temperature": 1.0}}
    write_json(
        folder / "train/rollouts.run.json", sidecar("generate", start, rollouts, phases={"sample": 1.0}, rate=30.0)
    )
    write_json(folder / "train/verdicts.run.json", sidecar("verify", start + 1, {"verifier": "integer"}))
    write_json(folder / "train/filter.run.json", sidecar("filter", start + 2, {"filter": {"rule": "correct_within"}}))
    training = {"sft": {"lr": 0.0005, "lora": None}}
    write_json(folder / "policy.run.json", sidecar("sft", start + 3, training, phases={"train": 4.0}, rate=10.0))


def sidecar(node: str, second: int, settings: dict, phases: dict | None = None, rate: float | None = None) -> dict:
    """A sidecar of a node that started so many seconds after noon and ran for one."""
    run = {
        "started": f"2026-01-02T12:{second // 60:02}:{second % 60:02}+00:00",
        "ended": f"2026-01-02T12:{(second + 1) // 60:02}:{(second + 1) % 60:02}+00:00",
        "seconds": 1.0,
        "phases": phases or {},
        "host": "secret-host",
        "gpus": ["GPU-secret"],
        "python": "3.11.7",
        "packages": {"torch": "2.13.0"},
    }
    if rate is not None:
        run["tokens_per_second"] = rate
    return {"settings": {"node": node, "code": f"c0de-{node}", **settings}, "run": run}


def points_table() -> pandas.DataFrame:
    """The base model at 90% and 60 tokens; each iteration takes 20 tokens off, and of budget 12 ten points too."""
    rows = [row("base", None, None, 0, 0.9, 60.0)]
    for budget, i in itertools.product(POLICIES, range(1, ITERATIONS + 1)):
        lost = 0.1 * i if budget == 12 else 0.0
        training = {"kept_share": 0.25 * i, "copied": False, "updates_per_batch": 5, "train_temperature": 1.0}
        monitors = {"loss": 0.5 / i + budget, "grad_norm": 1.0 / i, "logprob_gap": 1.5e-7, "something_new": i / 8}
        difference = {
            "accuracy_diff": -lost,
            "accuracy_diff_low": -lost - 0.02,
            "accuracy_diff_high": -lost + 0.02,
            "tokens_ratio": 1 - i / 3,
            "tokens_ratio_low": 0.98 - i / 3,
            "tokens_ratio_high": 1.02 - i / 3,
        }
        rows.append(
            row("r", budget, 0, i, 0.9 - lost, 60.0 - 20 * i + budget / 8, **difference, **training, **monitors)
        )
    return pandas.DataFrame(rows).astype({"budget": "Int64", "seed": "Int64"})


def training_table() -> pandas.DataFrame:
    """What the points table says of training, of every iteration."""
    trained = points_table().query("recipe != 'base'")
    names = ["model", "recipe", "budget", "seed", "iteration", "copied", "updates_per_batch", "train_temperature"]
    return trained[names]


def row(recipe, budget, seed, iteration: int, accuracy: float, tokens: float, **others) -> dict:
    return {
        "model": "m",
        "recipe": recipe,
        "budget": budget,
        "seed": seed,
        "iteration": iteration,
        "benchmark": "sums",
        "problems": 6,
        "samples": 2,
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.03,
        "accuracy_high": accuracy + 0.04,
        "tokens_mean": tokens,
        "tokens_low": tokens - 2,
        "tokens_high": tokens + 3,
        "truncated": 0.0,
        "pass_at_2": accuracy + 0.05,
        # An upper end that is missing lies above the cap.
        "tokens_to_reach_0.5": tokens,
        "tokens_to_reach_0.5_low": tokens - 4,
        "tokens_to_reach_0.5_high": None,
        **others,
    }


def curves_table() -> pandas.DataFrame:
    """At every cut-off a part of the accuracy, for every row of the points table."""
    keys = ["model", "recipe", "budget", "seed", "iteration", "benchmark"]
    estimates = ["accuracy", "accuracy_low", "accuracy_high"]
    cuts = pandas.DataFrame({"tokens": [2, 8, 32, 128], "part": [0.0, 0.25, 0.75, 1.0]})
    curves = points_table()[[*keys, *estimates]].merge(cuts, how="cross")
    curves[estimates] = curves[estimates].mul(curves["part"], axis=0)
    return curves.drop(columns="part")


def recipes_table() -> pandas.DataFrame:
    """Each budget over three seeds, as the compare node pools them."""
    measured = [
        ("accuracy", 0.7, 0.03),
        ("accuracy_per_1000_tokens", 30.0, 2.0),
        ("accuracy_diff", -0.2, 0.02),
        ("tokens_ratio", 0.4, 0.02),
    ]
    estimates = {key: value for name, *estimate in measured for key, value in interval(name, *estimate).items()}
    tokens = {"tokens_mean": 21.5, "tokens_low": 20.0, "tokens_high": 23.0}
    after = {"iteration": ITERATIONS, "benchmark": "sums", "problems": 6, "samples": 2, "seeds": 3}
    keys = [{"model": "m", "recipe": "r", "budget": budget, **after} for budget in POLICIES]
    return pandas.DataFrame([{**key, **estimates, "accuracy_sd": 0.015, **tokens} for key in keys])


def pairs_table() -> pandas.DataFrame:
    """The two points after their last iteration, as the compare node writes them."""
    measured = {12: (0.7, 21.5), 24: (0.9, 23.0)}
    row = {"model": "m", "benchmark": "sums"}
    for side, budget in zip(("first", "second"), POLICIES, strict=True):
        values = ("r", budget, 0, ITERATIONS, *measured[budget])
        row |= {f"{side}_{name}": value for name, value in zip((*POINT, *MEASURES), values, strict=True)}
    row |= {**interval("accuracy_diff", 0.2, 0.03), **interval("tokens_ratio", 1.07, 0.02)}
    return pandas.DataFrame([row], columns=PAIR_COLUMNS)


def interval(name: str, value: float, width: float) -> dict[str, float]:
    return {name: value, f"{name}_low": value - width, f"{name}_high": value + width}


def nodes_table() -> pandas.DataFrame:
    """The timings by kind of node, as the timings node writes them."""
    row = {"jobs": 4, "seconds": 8.0, "work": 6.0, "overhead": 1.0, "share": 0.25}
    return pandas.DataFrame([{"node": node, **row} for node in ("generate train", "filter", "sft", "all")])
