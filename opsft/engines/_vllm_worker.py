"""What vLLM's worker processes learn from this project: how to take the weights of another checkpoint.

vLLM has a `reload_weights` that reads a path, but for a model whose output layer is tied to its embeddings its CPU
builds then keep a packed copy of the old output layer. Handed the output layer too, by name, they pack it anew.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from opsft.checkpoint_files import some


class PolicyLoader:
    """Mixed into vLLM's worker class (`worker_extension_cls`), so that it runs where the weights are."""

    def load_policy(self, files: list[str], tied: bool) -> None:
        """Reload all weights from safetensors files; `tied` embeddings are the output layer too.

        Raises ValueError where a parameter is in none of them: vLLM refuses that when it starts, and only logs it here.
        """
        model = self.get_model()
        load, loaded = model.load_weights, set()

        def load_and_note(weights: Iterable[tuple[str, Any]]) -> set[str] | None:
            found = load(weights)
            loaded.update(found or ())
            return found

        model.load_weights = load_and_note
        try:
            self.reload_weights(weights_iterator=read_tensors(files, tied))
        finally:
            del model.load_weights
        missing = sorted({name for name, _ in model.named_parameters()} - loaded) if loaded else []
        if missing:
            raise ValueError(f"{files[0]}: {len(missing)} weights of the model are in no file: {some(missing)}")


def read_tensors(files: list[str], tied: bool) -> Iterator[tuple[str, Any]]:
    """The (name, tensor) pairs of safetensors files, one at a time; `tied` embeddings come again as `lm_head.weight`."""
    from safetensors import safe_open

    for file in files:
        with safe_open(file, framework="pt") as tensors:
            for name in tensors.keys():  # noqa: SIM118 (it is no dict)
                tensor = tensors.get_tensor(name)
                if not (tied and name == "lm_head.weight"):
                    yield name, tensor
                if tied and name.endswith("embed_tokens.weight"):
                    yield "lm_head.weight", tensor
