"""Accuracy against mean tokens."""

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opsft_flow.figures.handles import base_star, budget_handles, recipe_handles
from opsft_flow.figures.labels import label_last_points
from opsft_flow.figures.layout import legend, panels_of, titles
from opsft_flow.figures.look import BASE_COLOR, MUTED_COLOR, STYLE, THOUSANDS, Look
from opsft_flow.figures.marks import base_level, fading_line, mark
from opsft_flow.figures.rows import ACCURACY, PANEL, TOKENS, base_rows, trajectories, with_measures


@matplotlib.rc_context(STYLE)
def pareto(points: pd.DataFrame) -> Figure:
    """Accuracy against mean tokens: the base model, the way of every point from it, and where each point ended.

    One panel per model and benchmark. The large markers are last iterations, with their intervals in both directions;
    the small ones are the iterations before.
    """
    points = with_measures(points, ACCURACY + TOKENS)
    look = Look.of(points)
    panels = list(points.groupby(PANEL, sort=False))
    figure, grid = panels_of(len(panels), columns=min(len(panels), 2), size=(8, 5) if len(panels) == 1 else (5.2, 4.2))
    for axes, (_, panel) in zip(grid, panels, strict=True):
        _pareto_panel(axes, panel, look)
    titles(grid, panels)
    legend(figure, [base_star(), *budget_handles(look, "o"), *recipe_handles(look, marked=True)])
    figure.draw_without_rendering()
    for axes, (_, panel) in zip(grid, panels, strict=True):
        label_last_points(axes, panel, look, size="medium" if len(panels) == 1 else "small")
    return figure


def _pareto_panel(axes: Axes, panel: pd.DataFrame, look: Look) -> None:
    base = base_rows(panel)
    base_level(axes, base, ACCURACY)
    for recipe, arm, rows in trajectories(panel):
        fading_line(axes, rows, look.colors[recipe, arm])
        mark(axes, rows.iloc[-1], look.markers[recipe], size=10, color=look.colors[recipe, arm])
    for _, row in base.iterrows():
        mark(axes, row, "*", size=19, color=BASE_COLOR)
    axes.set(xlabel="mean tokens per response", ylabel="accuracy (%)")
    axes.margins(x=0.1, y=0.16)
    axes.set_xlim(left=0)
    axes.set_ylim(np.clip(axes.get_ylim(), -3, 103))
    axes.xaxis.set_major_formatter(THOUSANDS)
    note = {"xycoords": "axes fraction", "color": MUTED_COLOR, "size": "small"}
    axes.annotate("\N{NORTH WEST ARROW} shorter and better", (0.015, 0.985), va="top", **note)
    axes.annotate(_sample_size(panel), (0.985, 0.02), ha="right", **note)


def _sample_size(panel: pd.DataFrame) -> str:
    problems, samples = panel[["problems", "samples"]].iloc[0]
    return f"{problems:,.0f} problems \N{MULTIPLICATION SIGN} {samples:.0f} samples, bootstrap intervals"
