"""Whether the transformers engine's decode loop can serve an architecture, known from its configuration and its class alone."""

import inspect

from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, DynamicCache, PreTrainedConfig
from transformers.cache_utils import DynamicLayer


def check_decodable(config: PreTrainedConfig, model_path: str) -> None:
    """Raise ValueError where a model keeps more of what it has read than keys and values, or takes no positions.

    The loop pads prompts on the left, reads them in parts, and drops the rows that have finished: a state of fixed size, as of Mamba, LFM2,
    Qwen3-Next and Falcon-H1, would take in the padding, and is not cut with the keys and values.
    """
    reason = why_not(config)
    if reason:
        raise ValueError(
            f"{model_path} is a {config.model_type!r} model, which the transformers engine cannot sample from: {reason}; "
            "set engine.name: vllm where vLLM knows it, or take a model with attention in every layer"
        )


def why_not(config: PreTrainedConfig) -> str | None:
    if config.is_encoder_decoder:
        return "it has an encoder"
    model_class = class_of(config)
    if model_class is None:
        # Code that comes with the model stands in no table of transformers.
        return None if getattr(config, "auto_map", None) else "transformers knows no causal language model of this type"
    if model_class._is_stateful:
        return "it keeps a recurrent state"
    try:
        layers = DynamicCache(config=config).layers
    except (AttributeError, KeyError, ValueError) as error:
        return f"transformers makes no cache for it ({type(error).__name__}: {error})"
    others = sorted({type(layer).__name__ for layer in layers if not is_keys_and_values(layer)})
    if others:
        return f"its cache holds {', '.join(others)}"
    if "position_ids" not in inspect.signature(model_class.forward).parameters:
        return "it takes no positions, without which prompts cannot be padded"
    return None


def class_of(config: PreTrainedConfig) -> type | None:
    found = MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)
    return found[0] if isinstance(found, tuple) else found


def is_keys_and_values(layer: object) -> bool:
    """True for attention, full or in a window, and for a layer that shares the cache of another or has none."""
    from_linear = any(kind.__name__.startswith("LinearAttention") for kind in type(layer).__mro__)
    return not from_linear and (isinstance(layer, DynamicLayer) or type(layer).__name__ == "DummyLayer")
