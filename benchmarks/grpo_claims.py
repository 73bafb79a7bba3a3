"""What a record of against_grpo.py says: when each method was 40% shorter than the base model, at what accuracy, in how much memory; tables and sentences.

A *run* is a measurement of the record: one arm (method, weight of the KL term, learning rate) with one seed. Over seeds a number is a mean, with the
least and the greatest behind it; the interval of an accuracy is the hull of the seeds' 95% intervals over problems.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

SHARE = 0.6
"""The tokens to reach, as a share of the base model's."""

OURS = "on-policy SFT"


@dataclass(frozen=True)
class Arm:
    """One of the methods that are compared; `beta` is None where there is no KL term to weigh."""

    method: str
    beta: float | None
    lr: float

    @classmethod
    def of(cls, run: dict) -> "Arm":
        return cls(run["method"], run["beta"], run["lr"])

    @property
    def name(self) -> str:
        return self.method if self.beta is None else f"{self.method}, beta {self.beta:g}, lr {self.lr:g}"


def by_arm(runs: Sequence[dict]) -> dict[Arm, list[dict]]:
    """The runs of every arm, on-policy SFT first, else in the order of the record."""
    arms = sorted(dict.fromkeys(map(Arm.of, runs)), key=lambda arm: arm.method != OURS)
    return {arm: [run for run in runs if Arm.of(run) == arm] for arm in arms}


def measured(run: dict) -> list[dict]:
    """The iterations whose policies were measured."""
    return [row for row in run["iterations"] if "difference" in row]


def reached(run: dict) -> dict | None:
    """The first measured iteration whose mean tokens are at most `SHARE` of the base model's, or None."""
    short = (row for row in measured(run) if row["difference"]["tokens_ratio"]["value"] <= SHARE)
    return next(short, None)


def spread(values: Sequence[float], form: str) -> str:
    """The mean, and behind it the least and the greatest, where they are not written alike."""
    texts = [format(value, form) for value in (sum(values) / len(values), min(values), max(values))]
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]} ({texts[1]} to {texts[2]})"


def points(rows: Sequence[dict]) -> str:
    """Accuracy against the base model in percentage points, and the hull of the intervals."""
    differences = [row["difference"]["accuracy"] for row in rows]
    low, high = min(d["low"] for d in differences), max(d["high"] for d in differences)
    return f"{spread([100 * d['value'] for d in differences], '+.1f')} [{100 * low:+.1f}, {100 * high:+.1f}]"


def shortening(rows: Sequence[dict]) -> str:
    """Mean tokens against the base model, in percent."""
    return spread([100 * (row["difference"]["tokens_ratio"]["value"] - 1) for row in rows], "+.0f") + "%"


def heading(columns: Sequence[str]) -> list[str]:
    """The first two lines of a markdown table."""
    return ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]


def arm_table(runs: Sequence[dict]) -> str:
    """A row for every arm: where it was 40% shorter, and where it ended."""
    columns = [
        "method",
        "seeds that got to -40%",
        "seconds until then",
        "of them work",
        "iteration",
        "accuracy against the base then, points",
        "tokens sampled until then",
        "tokens trained on",
        "peak memory, MiB",
        "at the end: tokens",
        "accuracy against the base, points",
        "seconds in all",
        "of them work",
    ]
    lines = heading(columns)
    for arm, its_runs in by_arm(runs).items():
        found = [row for row in map(reached, its_runs) if row]
        last = [run["iterations"][-1] for run in its_runs]
        until = [spread([row[key] for row in found], form) if found else "" for key, form in UNTIL]
        cells = [
            arm.name,
            f"{len(found)} of {len(its_runs)}",
            *until[:3],
            points(found) if found else "",
            *until[3:],
            spread([run["peak_memory_mb"] for run in its_runs], ",.0f"),
            shortening(last),
            points(last),
            *(spread([row[key] for row in last], ".1f") for key in ("seconds", "work_s")),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


UNTIL = (
    ("seconds", ".1f"),
    ("work_s", ".1f"),
    ("iteration", ".3g"),
    ("tokens_sampled", ",.0f"),
    ("tokens_trained", ",.0f"),
)
"""What is told of the iteration in which -40% was reached, and how it is written."""


def sentences(runs: Sequence[dict]) -> list[str]:
    """One of every arm, and one of every GRPO beside on-policy SFT, seed by seed."""
    arms = by_arm(runs)
    said = [of_arm(arm, its_runs) for arm, its_runs in arms.items()]
    ours = next(({run["seed"]: run for run in its_runs} for arm, its_runs in arms.items() if arm.method == OURS), {})
    for arm, its_runs in arms.items():
        pairs = [(ours[run["seed"]], run) for run in its_runs if run["seed"] in ours]
        if arm.method != OURS and pairs:
            said.append(beside(arm, pairs))
    return said


def of_arm(arm: Arm, runs: Sequence[dict]) -> str:
    found = [row for row in map(reached, runs) if row]
    where = f"{arm.name}: -40% of the tokens in {len(found)} of {len(runs)} seeds"
    if not found:
        return f"{where}; at the end {shortening([run['iterations'][-1] for run in runs])}."
    seconds, work = (spread([row[key] for row in found], ".1f") for key in ("seconds", "work_s"))
    return f"{where}, after {seconds} s, of them {work} s of work, at {points(found)} points of accuracy against the base model."


def beside(arm: Arm, pairs: Sequence[tuple[dict, dict]]) -> str:
    """GRPO as a multiple of on-policy SFT with the same seed."""
    memory = spread([run["peak_memory_mb"] / ours["peak_memory_mb"] for ours, run in pairs], ".2f")
    both = [(reached(ours), reached(run)) for ours, run in pairs]
    both = [(first, second) for first, second in both if first and second]
    text = f"{arm.name} took {memory} times the peak memory of {OURS}"
    if not both:
        return f"{text}; no seed has a time to -40% of both."
    counted = "" if len(both) == len(pairs) else f" ({len(both)} of {len(pairs)} seeds)"
    times = {key: spread([second[key] / first[key] for first, second in both], ".2f") for key, _ in UNTIL}
    return (
        f"{text}, and until -40% {times['seconds']} times the seconds, {times['work_s']} times the work, "
        f"{times['tokens_sampled']} times the sampled and {times['tokens_trained']} times the trained tokens{counted}."
    )


def run_table(runs: Sequence[dict]) -> str:
    """A row for every run, at -40% and at the end, with intervals over problems."""
    columns = [
        "method",
        "seed",
        "at",
        "iteration",
        "seconds",
        "of them work",
        "mean tokens",
        "tokens, %",
        "accuracy, %",
        "points against the base",
    ]
    lines = heading(columns)
    for arm, its_runs in by_arm(runs).items():
        for run in its_runs:
            for name, row in (("-40%", reached(run)), ("the end", run["iterations"][-1])):
                if row:
                    lines.append("| " + " | ".join([arm.name, str(run["seed"]), name, *run_cells(row)]) + " |")
    return "\n".join(lines)


def run_cells(row: dict) -> list[str]:
    def interval(estimate: dict, form: str, convert: Callable[[float], float]) -> str:
        value, low, high = (format(convert(estimate[key]), form) for key in ("value", "low", "high"))
        return f"{value} [{low}, {high}]"

    difference = row["difference"]
    return [
        str(row["iteration"]),
        f"{row['seconds']:.1f}",
        f"{row['work_s']:.1f}",
        interval(row["tokens"], ".1f", lambda tokens: tokens),
        interval(difference["tokens_ratio"], "+.0f", lambda ratio: 100 * (ratio - 1)),
        interval(row["accuracy"], ".1f", lambda share: 100 * share),
        interval(difference["accuracy"], "+.1f", lambda share: 100 * share),
    ]


def report(runs: Sequence[dict]) -> str:
    """All of it, as markdown."""
    said = "\n".join(f"- {sentence}" for sentence in sentences(runs))
    return f"{said}\n\n{arm_table(runs)}\n\n{run_table(runs)}"
