"""What selection rules would keep of the training rollouts that are on disk."""

from collections.abc import Iterator
from pathlib import Path

from opsft.selection.interface import Group, select
from opsft.selection.statistics import describe
from opsft_flow.integrity import read_sealed
from opsft_flow.places import iteration_folder
from opsft_flow.points import Point
from opsft_flow.rollout_groups import read_groups
from opsft_flow.rule_chain import label_of, loaded


def replay_rows(settings: dict) -> Iterator[dict]:
    """A row for each place of the sweep that has been sampled and graded, and each chain of rules.

    `settings` are those of the replay node: results, points (with iterations) and replay (chains of rules).
    """
    chains = [(label_of(chain), loaded(chain)) for chain in settings["replay"]]
    for block in settings["points"]:
        point = Point(block["model"], block["recipe"], block["budget"], block["seed"])
        for i in range(1, block["iterations"] + 1):
            folder = Path(settings["results"], iteration_folder(point, i), "train")
            sidecar = read_sealed(folder / "rollouts.run.json")
            if not sidecar or not all((folder / f"{name}.parquet").exists() for name in ("rollouts", "verdicts")):
                continue
            budget = sidecar["run"]["max_tokens"]
            groups, _ = read_groups(folder / "rollouts.parquet", folder / "verdicts.parquet")
            keys = {
                "model": point.model,
                "recipe": point.recipe,
                "budget": budget,
                "schedule": point.schedule,
                "seed": point.seed,
                "iteration": i,
            }
            for label, rules in chains:
                kept = select(rules, groups, budget, (point.seed, i))
                yield {**keys, "rules": label, **columns(groups, kept)}


def columns(groups: dict[str, Group], kept: dict[str, list[tuple[int, float]]]) -> dict:
    """What a chain of rules keeps; shares between 0 and 1, lengths in tokens."""
    statistics = describe(groups, kept)
    chosen = [(groups[key], position, weight) for key, pairs in kept.items() for position, weight in pairs]
    truncated = sum(not group.finished[position] for group, position, _ in chosen)
    return {
        "rollouts": statistics["rollouts"],
        "kept": statistics["kept"],
        "kept_share": statistics["kept_share"],
        "prompts": statistics["prompts"],
        "prompts_kept": statistics["prompts_kept"],
        "tokens_mean": statistics["before"]["tokens_mean"],
        "kept_tokens_mean": statistics["after"]["tokens_mean"],
        "truncated": statistics["before"]["truncated"],
        "kept_truncated": truncated / len(chosen) if chosen else None,
        "weight_sum": statistics["weight_sum"],
        "weight_min": min((weight for *_, weight in chosen), default=None),
        "weight_max": max((weight for *_, weight in chosen), default=None),
    }
