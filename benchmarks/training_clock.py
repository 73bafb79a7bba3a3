"""Time of each update and peak memory of a training process, taken alike for every trainer."""

import resource
import time

import psutil
import torch


class TrainingClock:
    """Made when all imports are done and nothing is loaded yet; `tick` is called after every update."""

    def __init__(self) -> None:
        self.on_gpu = torch.cuda.is_available()
        self.resident_before = psutil.Process().memory_info().rss
        self.ticks: list[float] = []

    def tick(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()
        self.ticks.append(time.monotonic())

    def peak_memory_mb(self) -> int:
        """On a GPU the most that was allocated there; on a CPU by how much the process grew at most, weights included. In MiB."""
        if self.on_gpu:
            return round(torch.cuda.max_memory_allocated() / 2**20)
        return round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - self.resident_before) / 2**20)

    def measured(self, updates: list[list[dict]]) -> dict:
        """Speed over the updates after the first, in tokens of prompt and response and in those of the responses alone."""
        result = {"compute": "bfloat16" if self.on_gpu else "float32", "peak_memory_mb": self.peak_memory_mb()}
        if len(updates) > 1:
            seconds = self.ticks[-1] - self.ticks[0]
            prompts, responses = (
                sum(len(e[key]) for u in updates[1:] for e in u) for key in ("prompt_ids", "response_ids")
            )
            result |= {
                "seconds": round(seconds, 2),
                "tokens_per_second": round((prompts + responses) / seconds, 1),
                "response_tokens_per_second": round(responses / seconds, 1),
            }
        return result
