"""The figure of a record of against_grpo.py: mean tokens and accuracy against both clocks, a colour a method, a thin line a seed."""

from collections.abc import Sequence
from itertools import product

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.grpo_claims import OURS, SHARE, by_arm, measured, reached
from opsft_flow.figures.look import BASE_COLOR, MUTED_COLOR, STYLE

OUR_COLOR = "#c43c39"
CLOCKS = {"seconds": "seconds since the command was started", "work_s": "of these, work in seconds"}
MEASURES = {"tokens": ("mean tokens", 1), "accuracy": ("accuracy (%)", 100)}


@matplotlib.rc_context(STYLE)
def against_time(runs: Sequence[dict]) -> Figure:
    """Every line begins with the base model at 0; a ring stands where it is first at -40% of the tokens."""
    arms = by_arm(runs)
    others = [arm for arm in arms if arm.method != OURS]
    shades = matplotlib.colormaps["viridis"]([0.15 + 0.6 * i / max(1, len(others) - 1) for i in range(len(others))])
    colors = {arm: OUR_COLOR for arm in arms if arm.method == OURS} | dict(zip(others, map(tuple, shades), strict=True))
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    grid = figure.subplots(len(MEASURES), len(CLOCKS), sharex="col", sharey="row")
    for axes, (measure, clock) in zip(grid.flat, product(MEASURES, CLOCKS), strict=True):
        _panel(axes, arms, colors, measure, clock)
    for axes, label in zip(grid[-1], CLOCKS.values(), strict=True):
        axes.set(xlabel=label, xlim=(0, None))
    for axes, (label, _) in zip(grid[:, 0], MEASURES.values(), strict=True):
        axes.set_ylabel(label)
    grid[0, 0].set_ylim(bottom=0)
    handles = [Line2D([], [], color=color, marker="o", markersize=4, label=arm.name) for arm, color in colors.items()]
    base = Line2D([], [], color=BASE_COLOR, linestyle="--", linewidth=1, label="base model")
    ring = Line2D(
        [],
        [],
        color=MUTED_COLOR,
        marker="o",
        markerfacecolor="none",
        markersize=9,
        linestyle="",
        label=f"first at \N{MINUS SIGN}{1 - SHARE:.0%}",
    )
    figure.legend(handles=[base, *handles, ring], loc="outside lower center", ncols=3)
    return figure


def _panel(axes: Axes, arms: dict, colors: dict, measure: str, clock: str) -> None:
    scale = MEASURES[measure][1]
    base = next(iter(arms.values()))[0]["base"][measure]
    axes.axhline(scale * base["value"], color=BASE_COLOR, linestyle="--", linewidth=1, zorder=1)
    axes.axhspan(scale * base["low"], scale * base["high"], color=MUTED_COLOR, alpha=0.12, linewidth=0, zorder=0)
    if measure == "tokens":
        axes.axhline(SHARE * base["value"], color=MUTED_COLOR, linestyle=":", linewidth=1, zorder=1)
    for arm, runs in arms.items():
        for run in runs:
            rows = measured(run)
            times, values = [0, *(row[clock] for row in rows)], [run["base"], *rows]
            line = {"color": colors[arm], "linewidth": 1.2, "alpha": 0.85, "marker": "o", "markersize": 3}
            axes.plot(times, [scale * row[measure]["value"] for row in values], **line)
            first = reached(run)
            if first:
                ring = {"color": colors[arm], "markerfacecolor": "none", "markersize": 9}
                axes.plot(first[clock], scale * first[measure]["value"], "o", **ring)
