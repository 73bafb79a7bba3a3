"""What vLLM could not do with a model on this machine, said before the engine starts, and in the project's own words."""

import pathlib
from typing import Any

from transformers import PreTrainedConfig

from opsft.checkpoint_files import INDEX, some, weight_files
from opsft.engines import EngineSettings


def check_heads(config: PreTrainedConfig, tensor_parallel: int, model_path: str) -> None:
    """Raise ValueError where the attention heads cannot be shared out evenly over the GPUs."""
    heads = config.get_text_config().num_attention_heads
    if heads % tensor_parallel:
        raise ValueError(
            f"tensor_parallel {tensor_parallel} is not allowed: {model_path} has {heads} attention heads; allowed: "
            f"{', '.join(str(n) for n in range(1, heads + 1) if heads % n == 0)}"
        )


def check_only_weights(model_path: str) -> None:
    """Raise ValueError where vLLM would read other files too: without an index it takes every safetensors file of a folder."""
    folder = pathlib.Path(model_path)
    others = sorted({*folder.glob("*.safetensors")} - {*weight_files(folder)})
    if others and not (folder / INDEX).exists():
        raise ValueError(
            f"{model_path} holds {some([file.name for file in others])} beside model.safetensors, and vLLM would load both; "
            "move what is no part of the model away"
        )


def check_platform(platform: Any, config: PreTrainedConfig, settings: EngineSettings, dtype: str) -> None:
    """Raise ValueError for what vLLM's `platform`, a GPU or a CPU, cannot do."""
    built_for = "cpu" if platform.is_cpu() else "cuda"
    if settings.device not in ("auto", built_for):
        raise ValueError(f"device {settings.device!r} is not allowed: this vLLM was built for auto or {built_for}")
    dtypes = [str(known).removeprefix("torch.") for known in platform.supported_dtypes]
    if dtype not in dtypes:
        raise ValueError(f"dtype {dtype!r} is not allowed: vLLM supports {', '.join(dtypes)} here")
    devices = 1 if platform.is_cpu() else platform.device_count()
    if settings.tensor_parallel > devices:
        raise ValueError(
            f"tensor_parallel {settings.tensor_parallel} is not allowed: vLLM sees {devices} "
            f"{'CPU' if platform.is_cpu() else 'GPUs'} here; allowed: {devices} at most"
        )
    if platform.is_cpu():
        check_head_width(config)


def check_head_width(config: PreTrainedConfig) -> None:
    """Raise ValueError for a width of attention heads that vLLM has no kernel for on a CPU."""
    from vllm.v1.attention.backends.cpu_attn import CPUAttentionBackend

    text = config.get_text_config()
    width = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
    allowed = CPUAttentionBackend.get_supported_head_sizes()
    if width not in allowed:
        raise ValueError(
            f"engine 'vllm' is not allowed: the model's head_dim is {width}; on a CPU vLLM can do "
            f"{', '.join(map(str, allowed))}; the transformers engine can do all"
        )


def check_free_memory(settings: EngineSettings) -> None:
    """Raise ValueError where a GPU has less free memory than vLLM was told to take.

    For after a failed start: vLLM's own message may be in the output of another process. Before a start it would leave
    a CUDA context in this process.
    """
    import torch

    for device in range(settings.tensor_parallel):
        free, total = torch.cuda.mem_get_info(device)
        if free < settings.gpu_memory_utilization * total:
            raise ValueError(
                f"gpu_memory_utilization {settings.gpu_memory_utilization} is not allowed: {free / 2**30:.1f} of "
                f"{total / 2**30:.1f} GiB are free on cuda:{device}; allowed: {int(100 * free / total) / 100} at most"
            )
