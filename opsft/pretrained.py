"""Load a pretrained model whole, or not at all.

Left to itself, transformers fills what a checkpoint lacks with random numbers, drops what the model does not know, and says so in a
log. Here both are errors. What transformers converts, ties or leaves out on purpose is decided by transformers itself.
"""

import contextlib
import pathlib
import re
from collections.abc import Iterator

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.utils import logging

from opsft.checkpoint_files import Header, are_equal, read_headers, some

UNUSED = re.compile(r"rotary_emb\.inv_freq$|(^|\.)mtp(_|\.)")
"""Tensors that a checkpoint may hold beside its model: frequencies that follow from config.json, and layers that predict several tokens."""

STRETCHED = ("linear", "dynamic", "yarn")
"""Kinds of RoPE scaling by which config.json may give the positions before they are stretched."""


def read_config(folder: str | pathlib.Path, trust_remote_code: bool) -> PreTrainedConfig:
    """The configuration of a checkpoint. Raises ValueError where there is none of a model that transformers can build."""
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=trust_remote_code)
    except Exception as error:  # A field of the wrong type ends in any error there is.
        raise ValueError(f"{pathlib.Path(folder) / 'config.json'} cannot be used: {_first_line(error)}") from None
    if getattr(config, "quantization_config", None):
        raise ValueError(
            f"{folder} is quantised (quantization_config in its config.json), and cannot be trained; take the checkpoint in "
            "bfloat16, or load it with dequantize of transformers and save it with save_pretrained"
        )
    return config


def check_context(config: PreTrainedConfig, context: int, folder: str | pathlib.Path) -> None:
    """Raise ValueError where `context` is more tokens than the model has positions for."""
    limit = positions(config)
    if limit is not None and context > limit:
        raise ValueError(f"context {context} is not allowed: {folder} was built for {limit} tokens at most")


def positions(config: PreTrainedConfig) -> int | None:
    """How many positions a model has, in tokens, stretched ones (RoPE scaling) included; None where it has no such limit.

    A file may give the positions before stretching or after it: `original_max_position_embeddings` tells which.
    """
    text = config.get_text_config()
    limit = getattr(text, "max_position_embeddings", None)
    rope = getattr(text, "rope_parameters", None) or {}
    if limit is None or rope.get("rope_type") not in STRETCHED:
        return limit
    return max(limit, int((rope.get("factor") or 1) * (rope.get("original_max_position_embeddings") or limit)))


def load_model(
    folder: str | pathlib.Path,
    dtype: str | torch.dtype,
    trust_remote_code: bool,
    config: PreTrainedConfig | None = None,
) -> PreTrainedModel:
    """The model of a checkpoint, on the CPU, with every one of its weights. Raises ValueError where that cannot be.

    `config` stands in for the checkpoint's own.
    """
    config = config or read_config(folder, trust_remote_code)
    headers = read_headers(folder)
    with _errors(folder):
        model, report = AutoModelForCausalLM.from_pretrained(
            folder,
            config=config,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=trust_remote_code,
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    _check_report(report, model, folder)
    _check_tied(model, headers, folder)
    return model


def check_weights(folder: str | pathlib.Path, trust_remote_code: bool) -> PreTrainedModel:
    """The model of a checkpoint without its values (on the meta device), for its shapes; reads the headers of the files alone.

    Raises ValueError where `load_model` would.
    """
    config, headers = read_config(folder, trust_remote_code), read_headers(folder)
    layers = getattr(config.get_text_config(), "num_hidden_layers", None)
    if isinstance(layers, int) and layers > len(headers):
        raise ValueError(
            f"{folder}: config.json asks for {layers} layers, and the files hold {len(headers)} tensors in all"
        )
    with _errors(folder), _silent():
        with torch.device("meta"):
            kind = type(AutoModelForCausalLM.from_config(config, trust_remote_code=trust_remote_code))
            state = {name: torch.empty(header.shape) for name, header in headers.items()}
        # Given tensors without values, transformers converts, ties and compares them as it does those of files.
        model, report = kind.from_pretrained(
            None,
            config=config,
            state_dict=state,
            device_map={"": "meta"},
            output_loading_info=True,
            ignore_mismatched_sizes=True,
        )
    _check_report(report, model, folder)
    _check_tied(model, headers, folder)
    return model


def _check_report(report: dict, model: PreTrainedModel, folder: str | pathlib.Path) -> None:
    """Raise ValueError for what transformers found missing, unexpected or of another shape."""
    unexpected = sorted(name for name in report["unexpected_keys"] if not _is_unused(name, model.config))
    shapes = [f"{name} {[*found]} instead of {[*wanted]}" for name, found, wanted in sorted(report["mismatched_keys"])]
    kinds = {"missing": sorted(report["missing_keys"]), "unexpected": unexpected, "of another shape": shapes}
    found = [f"{len(names)} tensors are {kind} ({some(names)})" for kind, names in kinds.items() if names]
    if found:
        raise ValueError(
            f"{folder} does not hold the weights of the {type(model).__name__} that its config.json describes: {'; '.join(found)}. "
            "Get the whole checkpoint, with the config.json that belongs to it"
        )


def _is_unused(name: str, config: PreTrainedConfig) -> bool:
    """True for a tensor that the model leaves out on purpose, whatever its class says of it."""
    text = config.get_text_config()
    layer = re.search(r"(?:^|\.)layers\.(\d+)\.", name)
    predicts = getattr(text, "num_nextn_predict_layers", None) or 0
    return bool(UNUSED.search(name)) or bool(layer and 0 <= int(layer[1]) - text.num_hidden_layers < predicts)


def _check_tied(model: PreTrainedModel, headers: dict[str, Header], folder: str | pathlib.Path) -> None:
    """Raise ValueError where tensors that are to be one are stored as two: some programs would take the one, some the other."""
    for target, source in model.get_expanded_tied_weights_keys(all_submodels=True).items():
        both = target in headers and source in headers
        # A model with values has been compared by transformers, under whatever names its files have.
        if target not in model.all_tied_weights_keys or (both and not are_equal(headers[target], headers[source])):
            raise ValueError(
                f"{folder}: config.json ties {target} to {source} (tie_word_embeddings), and the files hold two that differ; set "
                "tie_word_embeddings to false where the output layer was trained apart, or take the extra tensor out"
            )


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])[:300]}"


@contextlib.contextmanager
def _errors(folder: str | pathlib.Path) -> Iterator[None]:
    """Turn what transformers raises where a checkpoint does not fit its own config.json into one ValueError."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # What a wrong field ends in depends on the field.
        raise ValueError(
            f"{folder}: transformers cannot build the model of config.json from the tensors of its files: {_first_line(error)}"
        ) from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep transformers from reporting what is about to be raised, and from showing a bar of progress."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
