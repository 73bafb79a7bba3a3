"""What the configuration of a checkpoint says of it, before its weights are read."""

import pathlib

from transformers import AutoConfig, PreTrainedConfig

NOT_ARCHITECTURE = ("_name_or_path", "transformers_version", "dtype", "use_cache")
"""Keys in which two checkpoints of one architecture may differ: who wrote them, and how they are stored and run."""


def read_config(model_path: str, trust_remote_code: bool) -> PreTrainedConfig:
    """The configuration of the checkpoint at `model_path`; raises OSError or ValueError where it cannot be read."""
    return AutoConfig.from_pretrained(model_path, trust_remote_code=trust_remote_code)


def check_context(config: PreTrainedConfig, context: int, model_path: str) -> None:
    """Raise ValueError where `context` is more tokens than the model was built for."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and context > limit:
        raise ValueError(f"context {context} is not allowed: {model_path} was built for {limit} tokens at most")


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


def weight_files(model_path: str) -> list[str]:
    """The safetensors files that hold the weights; raises ValueError where there are none."""
    files = sorted(map(str, pathlib.Path(model_path).glob("model*.safetensors")))
    if not files:
        raise ValueError(f"{model_path} holds no model*.safetensors")
    return files
