"""How everything looks: the style of a figure, and the colour, marker and dashes of each point of a sweep."""

from dataclasses import dataclass

import matplotlib
import numpy as np
import pandas as pd

from opsft_flow.figures.rows import without_base

STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": "#555555",
    "axes.grid": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.constrained_layout.h_pad": 0.08,
    "figure.constrained_layout.w_pad": 0.08,
    "figure.facecolor": "white",
    "font.size": 11,
    "grid.color": "#e8e8e8",
    "legend.frameon": False,
    "svg.hashsalt": "on-policy-sft",
    "text.color": "#222222",
    "xtick.color": "#555555",
    "ytick.color": "#555555",
}
BASE_COLOR = "black"
MUTED_COLOR = "#6b6b6b"
THOUSANDS = "{x:,.0f}"
MARKERS = "oDsP^vX<>"
STOP_MARKER = "x"
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (8, 2, 1, 2, 1, 2)))


@dataclass(frozen=True)
class Look:
    """How the points of one table look: a colour for each recipe and budget or schedule, a marker and a dash pattern for each recipe."""

    colors: dict[tuple[str, str], tuple[float, ...]]
    markers: dict[str, str]
    dashes: dict[str, object]

    @classmethod
    def of(cls, table: pd.DataFrame) -> "Look":
        """Order the budgets, or the recipes of one, along the darker part of a colour map, the tightest hottest; lighter is lost on white.

        A schedule has its place by its last budget.
        """
        points = without_base(table)
        last = points.sort_values("iteration").groupby("arm")["budget"].last()
        arms = sorted(last.index, key=lambda arm: (last[arm], arm))
        recipes = sorted(points["recipe"].unique())
        told_apart = recipes if len(arms) == 1 else arms
        shades = map(tuple, matplotlib.colormaps["inferno"](np.linspace(0.68, 0.18, len(told_apart))))
        shade = dict(zip(told_apart, shades, strict=True))
        return cls(
            colors={(recipe, arm): shade[recipe if len(arms) == 1 else arm] for recipe in recipes for arm in arms},
            markers={recipe: MARKERS[i % len(MARKERS)] for i, recipe in enumerate(recipes)},
            dashes={recipe: DASHES[i % len(DASHES)] for i, recipe in enumerate(recipes)},
        )
