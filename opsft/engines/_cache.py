"""A key-value cache that decodes without copying itself at every step."""

import inspect

import torch
from transformers import DynamicCache, PreTrainedConfig, PreTrainedModel
from transformers.cache_utils import DynamicLayer

ROOM = 64
"""Tokens by which a full buffer grows: it is then copied at one step in 64, not at each, as `torch.cat` does."""


class Buffer:
    """A tensor of shape (rows, heads, tokens, head width) that grows along its tokens."""

    def __init__(self) -> None:
        self.storage: torch.Tensor | None = None
        self.length = 0

    def append(self, states: torch.Tensor) -> torch.Tensor:
        """Write `states`, of the same shape for the new tokens alone, behind the rest; returns a view of the whole."""
        end = self.length + states.shape[2]
        if self.storage is None:
            self.storage = _room_for(states, rows=states.shape[0], tokens=end)
        elif end > self.storage.shape[2]:
            self._move(self.storage[:, :, : self.length], tokens=end)
        self.storage[:, :, self.length : end] = states
        self.length = end
        return self.storage[:, :, :end]

    def select(self, rows: torch.Tensor) -> torch.Tensor:
        """Keep `rows`, in their order and repeated as often as they are named; returns a view of the whole."""
        self._move(self.storage[:, :, : self.length][rows], tokens=self.length)
        return self.storage[:, :, : self.length]

    def _move(self, held: torch.Tensor, tokens: int) -> None:
        self.storage = _room_for(held, rows=held.shape[0], tokens=tokens)
        self.storage[:, :, : self.length] = held


class GrowingLayer(DynamicLayer):
    """The keys and values of one attention layer, in buffers with room to spare."""

    def __init__(self) -> None:
        super().__init__()
        self.key_buffer = Buffer()
        self.value_buffer = Buffer()

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args, **kwargs):
        """Cache the states of new tokens; returns the keys and values of all tokens so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        self.keys = self.key_buffer.append(key_states)
        self.values = self.value_buffer.append(value_states)
        return self.keys, self.values

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep the rows `indices`."""
        self.keys = self.key_buffer.select(indices)
        self.values = self.value_buffer.select(indices)


def growing_cache(config: PreTrainedConfig) -> DynamicCache:
    """An empty cache for a model of `config`; layers that are not full attention keep their own kind of cache."""
    cache = DynamicCache(config=config)
    cache.layers = [GrowingLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


def cache_argument(model: PreTrainedModel) -> str:
    """The name of the argument that takes the cache: `cache` in transformers since 5.24, `past_key_values` before.

    A model whose code comes with its weights keeps the name that its author wrote.
    """
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def _room_for(like: torch.Tensor, rows: int, tokens: int) -> torch.Tensor:
    return like.new_empty(rows, like.shape[1], tokens + ROOM, like.shape[3])
