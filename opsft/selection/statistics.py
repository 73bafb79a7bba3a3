"""What a filter saw and what it kept. Statistics are taken before and after it: after alone, every policy looks short."""

import numpy as np

from opsft.selection.interface import Group


def describe(groups: dict[str, Group], kept: dict[str, list[tuple[int, float]]]) -> dict:
    """Statistics of one rollout batch.

    `before`: over all rollouts. `after`: over the kept ones. Shares are of rollouts, or of prompts where the name says so;
    lengths are in tokens; what is undefined (the mean of nothing) is None.
    """
    every = list(groups.values())
    correct = np.concatenate([group.correct for group in every])
    finished = np.concatenate([group.finished for group in every])
    tokens = np.concatenate([group.tokens for group in every])
    chosen = {key: [position for position, _ in pairs] for key, pairs in kept.items()}
    kept_tokens = np.concatenate([groups[key].tokens[positions] for key, positions in chosen.items()])
    return {
        "rollouts": len(tokens),
        "prompts": len(every),
        "kept": len(kept_tokens),
        "kept_share": len(kept_tokens) / len(tokens),
        "prompts_kept": sum(1 for positions in chosen.values() if positions),
        "weight_sum": float(sum(weight for pairs in kept.values() for _, weight in pairs)),
        "before": {
            "accuracy": float(correct.mean()),
            "truncated": float(1 - finished.mean()),
            "prompts_all_right": float(np.mean([group.correct.all() for group in every])),
            "prompts_all_wrong": float(np.mean([not group.correct.any() for group in every])),
            **lengths(tokens),
            "tokens_right": mean_or_none(tokens[correct]),
            "tokens_wrong": mean_or_none(tokens[~correct]),
        },
        "after": lengths(kept_tokens),
    }


def lengths(tokens: np.ndarray) -> dict:
    """Mean, median and 90th percentile of lengths in tokens."""
    if len(tokens) == 0:
        return {"tokens_mean": None, "tokens_median": None, "tokens_p90": None, "tokens_sum": 0}
    return {
        "tokens_mean": float(tokens.mean()),
        "tokens_median": float(np.median(tokens)),
        "tokens_p90": float(np.quantile(tokens, 0.9)),
        "tokens_sum": int(tokens.sum()),
    }


def mean_or_none(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
