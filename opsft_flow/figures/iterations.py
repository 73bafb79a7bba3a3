"""Mean tokens, accuracy and the kept share against the iteration."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from opsft_flow.figures.handles import base_line, budget_handles, recipe_handles, stop_handles
from opsft_flow.figures.layout import legend, titles
from opsft_flow.figures.look import BASE_COLOR, STOP_MARKER, STYLE, THOUSANDS, Look
from opsft_flow.figures.marks import band, base_level
from opsft_flow.figures.rows import ACCURACY, PANEL, TOKENS, base_rows, trajectories, with_measures


@matplotlib.rc_context(STYLE)
def over_iterations(points: pd.DataFrame) -> Figure:
    """Mean tokens, accuracy and the share of rollouts kept by the filter, against the iteration; 0 is the base model.

    A cross stands where a point stopped; its line goes on with the same policy. One column per model and benchmark. The share kept belongs to training, so it does not depend on the benchmark.
    """
    points = with_measures(points, [*ACCURACY, *TOKENS, "kept_share", "stopped_after"])
    look = Look.of(points)
    panels = list(points.groupby(PANEL, sort=False))
    figure = Figure(figsize=(8 if len(panels) == 1 else 4.4 * len(panels), 8), layout="constrained")
    grid = figure.subplots(3, len(panels), sharex=True, squeeze=False)
    for column, (_, panel) in zip(grid.T, panels, strict=True):
        _over_iterations_column(column, panel, look)
    for axes, label in zip(grid[:, 0], ("mean tokens", "accuracy (%)", "rollouts kept (%)"), strict=True):
        axes.set_ylabel(label)
    figure.align_ylabels()
    titles(grid[0], panels)
    handles = [base_line(), *budget_handles(look, "o"), *recipe_handles(look, marked=False), *stop_handles(points)]
    legend(figure, handles)
    return figure


def _over_iterations_column(column: np.ndarray, panel: pd.DataFrame, look: Look) -> None:
    tokens, accuracy, kept = column
    base_level(tokens, base_rows(panel), TOKENS)
    base_level(accuracy, base_rows(panel), ACCURACY)
    ways = trajectories(panel)
    for recipe, arm, rows in ways:
        line = {"color": look.colors[recipe, arm], "linestyle": look.dashes[recipe], "marker": "o", "markersize": 4.5}
        for axes, measure in ((tokens, TOKENS), (accuracy, ACCURACY)):
            band(axes, rows, "iteration", measure, look.colors[recipe, arm], of=len(ways))
            axes.plot(rows["iteration"], rows[measure[0]], **line)
            for _, last in rows[rows["iteration"] == rows["stopped_after"].max()].iterrows():
                axes.plot(last["iteration"], last[measure[0]], STOP_MARKER, color=BASE_COLOR, markersize=9, zorder=5)
        kept.plot(rows["iteration"], rows["kept_share"], **line)
    tokens.set_ylim(bottom=0)
    tokens.yaxis.set_major_formatter(THOUSANDS)
    kept.set(xlabel="iteration", ylim=(0, 100))
    kept.xaxis.set_major_locator(MaxNLocator(integer=True))
