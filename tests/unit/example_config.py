"""A small configuration that several tests share: two benchmarks, two budgets, one model that is taken for a Hub id."""


def example_config() -> dict:
    """A configuration as a user would write it, every default left out."""
    builtin = {"source": "builtin:arithmetic", "limit": 50, "verifier": "integer"}
    return {
        "models": {"m": {"source": "owner/model"}},
        "problems": {"train": {**builtin}, "easy-set": {**builtin, "split": "test"}, "hard-set": {**builtin}},
        "benchmarks": {
            "easy": {"problems": "easy-set", "samples": 4, "max_tokens": 200},
            "hard": {"problems": "hard-set", "samples": 4, "max_tokens": 200},
        },
        "recipes": {"r": {"problems": "train", "iterations": 2}},
        "sweep": [
            {"models": ["m"], "recipes": ["r"], "budgets": [12, 32], "seeds": [0], "benchmarks": ["easy", "hard"]}
        ],
        "engine": {"context": 300},
    }


def change(config: dict, key: str, value: object) -> dict:
    """Set one value in place; `key` is its path, such as "recipes.r.sft.lr" or "sweep.0.budgets"."""
    *above, last = (int(part) if part.isdigit() else part for part in key.split("."))
    block = config
    for part in above:
        block = block[part] if isinstance(part, int) else block.setdefault(part, {})
    block[last] = value
    return config
