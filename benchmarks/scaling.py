"""The paper's full run in nodes, tokens, GPU hours and bytes, extrapolated from what was measured at 0.5 B: the tables of docs/scaling.md.

    python -m benchmarks.scaling            # prints the tables
    python -m benchmarks.scaling --write    # puts them into docs/scaling.md

The inputs stand at the top, each with its source. A range is (least, most); tables give "least to most".
"""

import argparse
import pathlib
from dataclasses import dataclass

import yaml

from benchmarks.table import replace_between

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "scaling.md"

Range = tuple[float, float]

# The paper's run, as this project plans it. Steps, prompts, samples and cap are those of the released code; samples of a benchmark and how
# often it is measured are ours.
EXPERIMENT = yaml.safe_load((ROOT / "experiments" / "paper-1.5b.yaml").read_text())
STEPS = EXPERIMENT["recipes"]["opsft"]["iterations"]
PROMPTS, SAMPLES = (EXPERIMENT["recipes"]["opsft"]["rollouts"][key] for key in ("prompts", "samples"))
CAP = EXPERIMENT["schedules"][EXPERIMENT["axes"]["budgets"][0]]["budgets"][0]
PROBLEMS = {"gsm8k": 1_319, "math-500": 500, "amc23": 40, "aime24": 30, "aime25": 30}
EVALUATED = sum(number * EXPERIMENT["benchmarks"][name]["samples"] for name, number in PROBLEMS.items())
"""Responses of one evaluation."""
EVERY = EXPERIMENT["benchmarks"]["gsm8k"]["every"]
# Mean tokens of a response on the benchmarks, after and before, at 1.5 B: read off the authors' figures.
EVALUATED_TOKENS: Range = (2_186, 10_178)

# Measured on one H100 with Qwen2.5-Coder-0.5B (docs/results.md; phases: docs/results/gsm8k-0.5b-h100/timings.csv), with log-probabilities, as
# the paper's overlays ask for them.
SAMPLED_A_SECOND = 58_000
STATE_S = 7.3
"""Gathering, writing and hashing of weights and moments, to a file system in memory."""
WEIGHTS_S = 2.3
"""The weights of the next policy into the engines."""
ENGINES_S = 57.0
"""The start of a job's engines where none outlive their job, with the graphs that an earlier start has compiled; 113 s without."""
NODE_S = 0.2
"""A node on a workstation beyond its work (docs/performance.md)."""
SLURM_S = 9.0
"""A SLURM job beyond its work, mostly two starts of Snakemake: 7 to 11 s on a cluster of one host."""
BYTES_A_TOKEN = 4
"""Of a rollouts table, text, token ids and all: 3.6 at most, in tables of 64 rollouts."""


@dataclass(frozen=True)
class Layout:
    """Where the nodes of a point run: seconds of one beyond its work, how many follow one another in an iteration (one more with shards), and
    whether engines outlive them."""

    node_s: float
    chain: int
    engines_stay: bool


WORKSTATION = Layout(NODE_S, chain=4, engines_stay=True)
CLUSTER = Layout(SLURM_S, chain=3, engines_stay=False)
"""A SLURM job for each node, but one for verify and filter, as profiles/slurm groups them."""

# The data sheet of an H100 SXM: floating-point operations a second in bfloat16, bytes a second from memory.
PEAK_FLOPS, BANDWIDTH = 989e12, 3.35e12

# Assumed.
SAMPLED_TOKENS: Range = (2_000, CAP)
"""Mean tokens of a training rollout."""
KEPT_SHARE: Range = (0.2, 0.6)
"""Of the sampled tokens, what is trained on."""
TRAINING_UTILISATION: Range = (0.25, 0.45)
DECODING_UTILISATION, MEMORY_UTILISATION = 0.4, 0.6
STATE_BYTES = 12
"""A parameter: its fp32 weight, as a policy keeps it, and AdamW's two moments."""


@dataclass(frozen=True)
class Model:
    """A Qwen2, by the numbers of its config.json."""

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    intermediate: int
    vocabulary: int
    tied: bool

    @property
    def head(self) -> int:
        return self.hidden // self.heads

    @property
    def parameters(self) -> int:
        """Embeddings, and in each layer attention (with biases), the gated feed-forward part and two norms."""
        keys = self.kv_heads * self.head
        attention = 2 * self.hidden**2 + 2 * self.hidden * keys + self.hidden + 2 * keys
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        return self.vocabulary * self.hidden * (1 if self.tied else 2) + self.layers * layer + self.hidden

    @property
    def cache_bytes(self) -> int:
        """Keys and values of one token of context, in bfloat16."""
        return 2 * 2 * self.layers * self.kv_heads * self.head


MEASURED = Model("Qwen2.5-0.5B", 896, 24, 14, 2, 4864, 151_936, tied=True)
PAPER = (
    Model("R1-Distill-Qwen-1.5B", 1536, 28, 12, 2, 8960, 151_936, tied=False),
    Model("R1-Distill-Qwen-7B", 3584, 28, 28, 4, 18_944, 152_064, tied=False),
)


def sampling_s(model: Model, response: float) -> Range:
    """GPU seconds a sampled token: its share of the weights' work, and its context's keys and values read once.

    The work of the weights is at least 2 operations a parameter, and at most what was measured at 0.5 B times the ratio of parameters
    (there the processor was the limit, not the GPU). On average the context is half of the response.
    """
    cache = model.cache_bytes * response / 2 / (MEMORY_UTILISATION * BANDWIDTH)
    least = 2 * model.parameters / (DECODING_UTILISATION * PEAK_FLOPS)
    most = model.parameters / MEASURED.parameters / SAMPLED_A_SECOND
    return least + cache, most + cache


def training_s(model: Model) -> Range:
    """GPU seconds a token trained: 6 operations a parameter forward and backward, or 8 where activations are recomputed."""
    least, most = TRAINING_UTILISATION
    return 6 * model.parameters / (most * PEAK_FLOPS), 8 * model.parameters / (least * PEAK_FLOPS)


def step_work_s(model: Model) -> tuple[Range, Range]:
    """GPU seconds of sampling, and of training, of one of the paper's steps."""
    tokens = [PROMPTS * SAMPLES * length for length in SAMPLED_TOKENS]
    sampling = tuple(
        n * sampling_s(model, length)[end] for end, (n, length) in enumerate(zip(tokens, SAMPLED_TOKENS, strict=True))
    )
    training = tuple(n * share * s for n, share, s in zip(tokens, KEPT_SHARE, training_s(model), strict=True))
    return sampling, training


def evaluation_work_s(model: Model) -> Range:
    """GPU seconds of one evaluation on all benchmarks."""
    return tuple(EVALUATED * n * sampling_s(model, n)[end] for end, n in enumerate(EVALUATED_TOKENS))


def evaluations() -> int:
    """The base model's, and the last one's, among them."""
    return 1 + STEPS // EVERY + bool(STEPS % EVERY)


def waiting_s(model: Model, layout: Layout, shards: int) -> float:
    """What an iteration takes beyond sampling and training, however many GPUs: state, engines, and nodes one after another."""
    ratio = model.parameters / MEASURED.parameters
    # The start of engines loads their weights too.
    start = 0.0 if layout.engines_stay else ENGINES_S - WEIGHTS_S
    return ratio * (STATE_S + WEIGHTS_S) + start + (layout.chain + (shards > 1)) * layout.node_s


def longest_response_s(model: Model) -> float:
    """The least time in which a response as long as the cap can be sampled: the weights are read for each token."""
    return CAP * 2 * model.parameters / BANDWIDTH


def point_hours(model: Model, gpus: int, steps: int, layout: Layout) -> tuple[Range, float]:
    """Hours of a point on `gpus` GPUs with `steps` of the paper's steps an iteration, evaluations included; and of them, waiting."""
    iterations = -(-STEPS // steps)
    waiting = iterations * waiting_s(model, layout, gpus) / 3600
    sampling, training = step_work_s(model)
    hours = []
    for end in (0, 1):
        sample = max(steps * sampling[end] / gpus, longest_response_s(model))
        work = (
            iterations * (sample + steps * training[end] / gpus) + evaluations() * evaluation_work_s(model)[end] / gpus
        )
        hours.append(work / 3600 + waiting)
    return tuple(hours), waiting


def nodes_of_point(steps: int, shards: int) -> int:
    """Nodes of the graph for one point: an iteration trains with 4 and a job for each shard, and each evaluation of a benchmark is 3."""
    iterations = -(-STEPS // steps)
    return iterations * (4 + (shards if shards > 1 else 0)) + (evaluations() - 1) * 3 * len(PROBLEMS)


def number(value: float) -> str:
    """Two digits that count."""
    rounded = float(f"{value:.2g}")
    return f"{rounded:,.0f}" if rounded >= 10 else f"{rounded:g}"


def span(values: Range) -> str:
    return f"{number(values[0])} to {number(values[1])}"


def run_table() -> str:
    """What is the same for both models."""
    responses = STEPS * PROMPTS * SAMPLES
    sampled = tuple(responses * n for n in SAMPLED_TOKENS)
    kept = tuple(n * share for n, share in zip(sampled, KEPT_SHARE, strict=True))
    rows = [
        ("steps", f"{STEPS:,}"),
        ("responses", f"{responses / 1e6:.2f} million"),
        ("tokens sampled", f"{span(tuple(n / 1e9 for n in sampled))} billion"),
        ("tokens trained", f"{span(tuple(n / 1e9 for n in kept))} billion"),
        ("responses of one evaluation", f"{EVALUATED:,}"),
        ("tokens of one evaluation", f"{span(tuple(EVALUATED * n / 1e6 for n in EVALUATED_TOKENS))} million"),
        (
            "tokens of one step, to compare",
            f"{span(tuple(PROMPTS * SAMPLES * n / 1e6 for n in SAMPLED_TOKENS))} million",
        ),
        ("rollouts tables of all steps", f"{span(tuple(BYTES_A_TOKEN * n / 1e9 for n in sampled))} GB"),
    ]
    return table(("what", "how much"), rows)


def hours_table() -> str:
    """GPU hours of the work itself."""
    rows = []
    for model in PAPER:
        sampling, training = (tuple(STEPS * s / 3600 for s in values) for values in step_work_s(model))
        evaluating = tuple(evaluations() * s / 3600 for s in evaluation_work_s(model))
        total = tuple(map(sum, zip(sampling, training, evaluating, strict=True)))
        rate = tuple(1 / sampling_s(model, n)[end] for end, n in ((1, SAMPLED_TOKENS[1]), (0, SAMPLED_TOKENS[0])))
        cells = [f"{model.parameters / 1e9:.2f}", *map(span, (rate, sampling, training, evaluating, total))]
        rows.append((model.name, *cells))
    head = (
        "model",
        "parameters, billions",
        "tokens/s sampled by one H100",
        "sampling",
        "training",
        f"{evaluations()} evaluations",
        "GPU hours in all",
    )
    return table(head, rows)


def steps_table() -> str:
    """What several of the paper's steps in one iteration do to a point on eight GPUs of one machine."""
    rows = []
    for model in PAPER:
        for steps in (1, 4, 16):
            hours, waiting = point_hours(model, 8, steps, WORKSTATION)
            iterations = -(-STEPS // steps)
            written = iterations * STATE_BYTES * model.parameters / 1e12
            stale = f"{steps - 1} of {steps}"
            cells = (
                f"{iterations:,}",
                f"{nodes_of_point(steps, 8):,}",
                stale,
                span(hours),
                number(waiting),
                number(written),
            )
            rows.append((model.name, steps, *cells))
    head = (
        "model",
        "steps an iteration",
        "iterations",
        "nodes",
        "updates on an older policy's samples",
        "hours",
        "of them waiting",
        "TB written",
    )
    return table(head, rows)


def disk_table() -> str:
    """What stays on disk of one point: policies with the optimiser's state."""
    rows = []
    for model in PAPER:
        one = STATE_BYTES * model.parameters / 1e9
        for steps in (1, 16):
            iterations = -(-STEPS // steps)
            kept = (iterations, iterations // 100 + 2, 2)
            rows.append((model.name, steps, number(one), *(number(n * one / 1000) for n in kept)))
    head = ("model", "steps an iteration", "GB an iteration", "`all`, TB", "`every: 100`, TB", "`last`, TB at most")
    return table(head, rows)


def cluster_table() -> str:
    """One and sixteen points on 16 machines of eight GPUs."""
    layouts = (
        ("16 points, a machine each, one allocation a point", 16, 8, WORKSTATION),
        ("16 points, a SLURM job a node", 16, 8, CLUSTER),
        ("one point on all 128 GPUs, a SLURM job a node", 1, 128, CLUSTER),
    )
    rows = []
    for model in PAPER:
        for name, points, gpus, layout in layouts:
            for steps in (1, 16):
                hours, waiting = point_hours(model, gpus, steps, layout)
                cells = (f"{points * nodes_of_point(steps, gpus):,}", span(hours), number(waiting))
                rows.append((model.name, name, steps, *cells))
    return table(("model", "layout", "steps an iteration", "nodes", "hours", "of them waiting"), rows)


def table(head: tuple, rows: list[tuple]) -> str:
    lines = [" | ".join(map(str, row)) for row in (head, *rows)]
    return "\n".join([f"| {lines[0]} |", "|" + "---|" * len(head), *(f"| {line} |" for line in lines[1:])])


TABLES = {"run": run_table, "hours": hours_table, "steps": steps_table, "disk": disk_table, "cluster": cluster_table}


def render(page: str) -> str:
    """The page with each table between its markers."""
    for name, make in TABLES.items():
        page = replace_between(page, f"<!-- {name} -->", f"<!-- end {name} -->", make())
    return page


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/scaling.md")
    if parser.parse_args().write:
        PAGE.write_text(render(PAGE.read_text()))
    else:
        print("\n\n".join(make() for make in TABLES.values()))


if __name__ == "__main__":
    main()
