"""What filter, sft and evaluate measured, as rows: of each iteration, and of each policy on each benchmark."""

from opsft_flow.files import read_json
from opsft_flow.places import Place, iteration_folder, measured_on, sampled_policy
from opsft_flow.points import Point

KEYS = ["model", "recipe", "budget", "schedule", "seed", "iteration", "benchmark"]
TRAINED = ("loss", "grad_norm", "grad_norm_max", "nll", "logprob_gap", "logprob_gap_first")


def point_rows(settings: dict) -> tuple[list[dict], list[dict], list[dict]]:
    """The rows of the points table, of the curves table, and of the training table, which has iterations that no benchmark measured too.

    `settings` are those of the summary node: results, points (with iterations and benchmarks), base (benchmarks of each
    model) and sampling (the block of each benchmark). The base model is iteration 0 of recipe `base`, without budget and seed.
    `budget` is that of the iteration; where it follows a schedule, `schedule` names it.
    """
    results, sampling = settings["results"], settings["sampling"]
    points, curves, trained = [], [], []

    def add(keys: dict, place: Place, training: dict) -> None:
        metrics = read_json(f"{results}/{place.path}/metrics.json")
        points.append({**keys, **flatten_metrics(metrics), **sampling_columns(sampling[place.benchmark]), **training})
        curves.extend({**keys, **curve_columns(entry)} for entry in metrics["budget_curve"])

    for model, benchmarks in settings["base"].items():
        for name in benchmarks:
            keys = dict(zip(KEYS, (model, "base", None, None, None, 0, name), strict=True))
            add(keys, Place(model, None, 0, name), {})
    for block in settings["points"]:
        point = Point(block["model"], block["recipe"], block["budget"], block["seed"])
        for i in range(1, block["iterations"] + 1):
            chosen = {key: block[key] for key in ("train_temperature", "updates_per_batch")}
            measured = training_columns(f"{results}/{iteration_folder(point, i)}")
            budget, lag = measured.pop("budget"), i - 1 - sampled_policy(i, block["refresh_every"])
            training = {**measured, **chosen, "policy_lag": lag}
            values = (point.model, point.recipe, budget, point.schedule, point.seed, i)
            keys = dict(zip(KEYS[:-1], values, strict=True))
            trained.append({**keys, **training})
            for name in measured_on(block, i):
                add({**keys, "benchmark": name}, Place(point.model, point, i, name), training)
    return points, curves, trained


def estimate_columns(name: str, estimate: dict) -> dict:
    """{value, low, high} as name, name_low, name_high."""
    return {name: estimate["value"], f"{name}_low": estimate["low"], f"{name}_high": estimate["high"]}


def flatten_metrics(metrics: dict) -> dict:
    """The columns of a metrics.json; shares between 0 and 1, lengths in tokens."""
    tokens, difference = metrics["tokens"], metrics["difference"]
    row = {
        "problems": metrics["problems"],
        "samples": metrics["samples"],
        **estimate_columns("accuracy", metrics["accuracy"]),
        # Beside the accuracy, without which it says nothing: a short wrong answer raises it too.
        **estimate_columns("accuracy_per_1000_tokens", metrics["accuracy_per_1000_tokens"]),
        "tokens_mean": tokens["mean"]["value"],
        "tokens_low": tokens["mean"]["low"],
        "tokens_high": tokens["mean"]["high"],
        "truncated": metrics["truncated"]["value"],
    }
    undefined = {"value": None, "low": None, "high": None}
    row |= estimate_columns("accuracy_diff", difference["accuracy"] if difference else undefined)
    row |= estimate_columns("tokens_ratio", difference["tokens_ratio"] if difference else undefined)
    row |= estimate_columns("area_under_curve_diff", difference["area_under_curve"] if difference else undefined)
    for key in ("median", "p90", "mean_right", "mean_wrong"):
        row |= estimate_columns(f"tokens_{key}", tokens[key])
    row |= estimate_columns("answered", metrics["answered"])
    row |= estimate_columns("area_under_curve", metrics["area_under_curve"])
    for kind in ("pass_at", "maj_at", "mg_pass_at"):
        for k, estimate in metrics[f"{kind}_k"].items():
            row |= estimate_columns(f"{kind}_{k}", estimate)
    for k, by_tau in metrics["g_pass_at_k"].items():
        for tau, estimate in by_tau.items():
            row |= estimate_columns(f"g_pass_at_{k}_tau_{tau}", estimate)
    for kind, end in (("tokens_to_reach", ""), ("tokens_to_reach_of_base", "_of_base")):
        for share, estimate in metrics[kind].items():
            name = f"tokens_to_reach_{share}{end}"
            row |= {**estimate_columns(name, estimate), f"{name}_reached": estimate["reached"]}
    return row


def sampling_columns(benchmark: dict) -> dict:
    return {key: benchmark[key] for key in ("max_tokens", "temperature", "top_p", "top_k")}


def curve_columns(entry: dict) -> dict:
    return {"tokens": entry["budget"], **estimate_columns("accuracy", entry)}


def training_columns(folder: str) -> dict:
    """What filter and sft measured in one iteration, the same for all of its benchmarks; `updates` and `tokens_trained` are those since the base model."""
    statistics, manifest = read_json(f"{folder}/train/filter.json"), read_json(f"{folder}/policy.json")
    metrics, stopped = manifest["metrics"] or {}, manifest["stopped"] or {}
    return {
        "budget": statistics["budget"],
        "rollouts": statistics["rollouts"],
        "kept": statistics["kept"],
        "kept_share": statistics["kept_share"],
        "train_accuracy": statistics["before"]["accuracy"],
        "train_truncated": statistics["before"]["truncated"],
        "train_tokens_mean": statistics["before"]["tokens_mean"],
        "train_entropy": statistics["before"]["entropy"],
        "kept_tokens_mean": statistics["after"]["tokens_mean"],
        "kept_duplicates": statistics["after"]["duplicates"],
        "prompts_all_right": statistics["before"]["prompts_all_right"],
        "prompts_all_wrong": statistics["before"]["prompts_all_wrong"],
        "copied": manifest["copied"],
        "stopped": stopped.get("rule"),
        "stopped_after": stopped.get("iteration"),
        "stopped_because": stopped.get("message"),
        "updates": manifest["updates"],
        "tokens_trained": manifest["tokens_trained"],
        **{name: metrics.get(name) for name in TRAINED},
    }
