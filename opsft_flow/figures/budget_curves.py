"""Accuracy against token budget."""

import matplotlib
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from opsft_flow.figures.handles import base_line, budget_handles, recipe_handles
from opsft_flow.figures.layout import legend, panels_of, titles
from opsft_flow.figures.look import BASE_COLOR, STYLE, THOUSANDS, Look
from opsft_flow.figures.marks import band
from opsft_flow.figures.rows import ACCURACY, PANEL, POINT, base_rows, with_measures, without_base


@matplotlib.rc_context(STYLE)
def budget_curves(curves: pd.DataFrame) -> Figure:
    """Accuracy if every response had been cut at B tokens, against B: the base model and every point's last iteration.

    One panel per model and benchmark. A dotted vertical line stands at each budget that was trained for, of a schedule the last.
    """
    curves = with_measures(curves, ["tokens", *ACCURACY])
    look = Look.of(curves)
    panels = list(curves.groupby(PANEL, sort=False))
    figure, grid = panels_of(len(panels), columns=min(len(panels), 2), size=(8, 4.6) if len(panels) == 1 else (5.2, 4))
    for axes, (_, panel) in zip(grid, panels, strict=True):
        _budget_curves_panel(axes, panel, look)
    titles(grid, panels)
    legend(figure, [base_line(), *budget_handles(look, ""), *recipe_handles(look, marked=False)])
    return figure


def _budget_curves_panel(axes: Axes, panel: pd.DataFrame, look: Look) -> None:
    points = without_base(panel).groupby(POINT, dropna=False)
    for (recipe, arm, _), rows in points:
        last = rows[rows["iteration"] == rows["iteration"].max()].sort_values("tokens")
        band(axes, last, "tokens", ACCURACY, look.colors[recipe, arm], of=points.ngroups)
        axes.plot(
            last["tokens"], last["accuracy"], color=look.colors[recipe, arm], linestyle=look.dashes[recipe], linewidth=2
        )
        axes.axvline(last["budget"].iloc[0], color=look.colors[recipe, arm], linestyle=":", linewidth=1.2, zorder=1)
    base = base_rows(panel).sort_values("tokens")
    band(axes, base, "tokens", ACCURACY, BASE_COLOR, of=1)
    axes.plot(base["tokens"], base["accuracy"], color=BASE_COLOR, linestyle="--", linewidth=2)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.set(xlabel="token budget B", ylabel="accuracy (%), finished within B")
    axes.set_ylim(bottom=0)
