"""Examples, and how an update's examples are cut into micro-batches."""

from dataclasses import dataclass

import numpy as np
import torch

from opsft.objective import Batch


@dataclass(frozen=True)
class Example:
    """One kept rollout: sampled token ids, never text tokenised again.

    `position` is its row in the rollout batch; `weight` comes from the selection rule; `engine_logprob` is the
    engine's sum of log-probabilities, in nats, or None where it was not asked for.
    """

    key: str
    position: int
    prompt_ids: tuple[int, ...]
    response_ids: tuple[int, ...]
    weight: float
    engine_logprob: float | None

    @property
    def length(self) -> int:
        """Tokens of prompt and response."""
        return len(self.prompt_ids) + len(self.response_ids)


def shares_of(rollouts: int, updates: int, seed: tuple[int, ...]) -> list[np.ndarray]:
    """Positions of a rollout batch, shuffled and cut into one share per update, sorted within each share.

    Kept and rejected rollouts are shared out alike, so that each update is an unbiased part of the batch.
    """
    shuffled = np.random.default_rng(seed).permutation(rollouts)
    return [np.sort(share) for share in np.array_split(shuffled, updates)]


def microbatches(examples: list[Example], tokens: int) -> list[list[int]]:
    """Indices of `examples` in groups of similar length, each of at most `tokens` tokens with its padding.

    An example that is longer than `tokens` makes a group of its own.
    """
    by_length = sorted(range(len(examples)), key=lambda i: (examples[i].length, i))
    groups: list[list[int]] = []
    for i in by_length:
        if groups and examples[i].length * (len(groups[-1]) + 1) <= tokens:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def padding(examples: list[Example], groups: list[list[int]]) -> int:
    """Positions of padding in all micro-batches of `groups`."""
    return sum(max(examples[i].length for i in group) - examples[j].length for group in groups for j in group)


def empty_batch(device: torch.device) -> Batch:
    """A batch of one position and no response: it adds nothing to any gradient."""
    one = torch.zeros(1, 1, dtype=torch.long, device=device)
    return Batch(one, one + 1, one > 0)


def collate(examples: list[Example], device: torch.device) -> Batch:
    """Right-pad examples into a batch."""
    width = max(example.length for example in examples)
    ids = torch.zeros(len(examples), width, dtype=torch.long)
    mask = torch.zeros(len(examples), width, dtype=torch.long)
    is_response = torch.zeros(len(examples), width, dtype=torch.bool)
    for row, example in enumerate(examples):
        ids[row, : example.length] = torch.tensor(example.prompt_ids + example.response_ids)
        mask[row, : example.length] = 1
        is_response[row, len(example.prompt_ids) : example.length] = True
    return Batch(ids.to(device), mask.to(device), is_response.to(device))
