"""Training without dropout: the loss is of the policy that was sampled, not of a random part of it, and nothing is drawn on the way."""

from transformers import PreTrainedConfig


def without_dropout(config: PreTrainedConfig) -> PreTrainedConfig:
    """The configuration with every rate of dropout at 0, under whatever name its type gives it; changed in place, its parts too."""
    for name, value in vars(config).items():
        if isinstance(value, PreTrainedConfig):
            without_dropout(value)
        elif "drop" in name and isinstance(value, float):
            setattr(config, name, 0.0)
    return config
