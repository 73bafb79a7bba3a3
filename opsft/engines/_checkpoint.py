"""Whether a checkpoint can take the place of another in an engine."""

from transformers import PreTrainedConfig

NOT_ARCHITECTURE = ("_name_or_path", "transformers_version", "dtype", "use_cache")
"""Keys in which two checkpoints of one architecture may differ: who wrote them, and how they are stored and run."""


def check_same_architecture(own: PreTrainedConfig, other: PreTrainedConfig, model_path: str) -> None:
    """Raise ValueError, naming the keys, where `other`, the configuration at `model_path`, is of another architecture."""
    ours, theirs = own.to_dict(), other.to_dict()
    keys = sorted((ours.keys() | theirs.keys()) - set(NOT_ARCHITECTURE))
    differing = [
        f"{key} {theirs.get(key)!r} (not {ours.get(key)!r})" for key in keys if ours.get(key) != theirs.get(key)
    ]
    if differing:
        raise ValueError(
            f"{model_path} is not of the architecture that this engine was started with: {', '.join(differing)}"
        )
