"""Training of the tiny model as a program, alone or under torchrun: `train_tiny.py FOLDER [DIE]`.

Its state is kept in FOLDER/scratch; what the leader ends with is written to FOLDER. With DIE, the last of several processes
fails at its second save, and the others never hear of it.
"""

import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from transformers import Qwen2Config, Qwen2ForCausalLM

from opsft import processes
from opsft.sft import RolloutBatch, train
from opsft.training_state import checkpoint_tensors
from opsft_flow.weights.scratch import Scratch, SharedScratch
from tests.conftest import TINY
from tests.unit.test_objective import make_examples
from tests.unit.test_sft import settings


class Fails(SharedScratch):
    """Raises at the second save."""

    saves = 0

    def save(self, *state) -> None:
        self.saves += 1
        if self.saves == 2:
            raise RuntimeError("this process ends here")


def main(folder: pathlib.Path, die: bool) -> None:
    torch.manual_seed(0)
    model = Qwen2ForCausalLM(Qwen2Config(**TINY)).double()  # what differs in float64 is no rounding
    kept = make_examples(12)
    batch = RolloutBatch(kept=kept, rollouts=20, longest=20)
    with processes.joined(torch.device("cpu")):
        follower = Fails if die else SharedScratch
        scratch = (follower if processes.number() else Scratch)(folder / "scratch")
        metrics, moments = train(
            model,
            batch,
            settings(updates=2, epochs=2, checkpoint_every=1, microbatch_tokens=60),
            seed=(0, 1),
            updates_before=0,
            optimizer_state={},
            checkpoints=scratch,
            progress=lambda done, total, tokens: print(f"at {done} of {total}", flush=True),
        )
        weights = checkpoint_tensors(model)
        leads = processes.number() == 0
    if leads:
        save_file(
            {**moments, **{f"weight.{name}": tensor.clone() for name, tensor in weights.items()}},
            folder / "end.safetensors",
        )
        (folder / "metrics.json").write_text(json.dumps(metrics))


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(pathlib.Path(sys.argv[1]), die=len(sys.argv) > 2)
