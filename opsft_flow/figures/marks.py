"""What is drawn in a panel: levels, bands, lines and marks."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from opsft_flow.figures.look import BASE_COLOR, MUTED_COLOR


def base_level(axes: Axes, base: pd.DataFrame, measure: list[str]) -> None:
    """The base model's value as a dashed line across the panel, its interval as a grey band."""
    value, low, high = measure
    for _, row in base.iterrows():
        axes.axhline(row[value], color=BASE_COLOR, linestyle="--", linewidth=1, zorder=1)
        axes.axhspan(row[low], row[high], color=MUTED_COLOR, alpha=0.12, linewidth=0, zorder=0)


def band(axes: Axes, rows: pd.DataFrame, x: str, measure: list[str], color: object, of: int) -> None:
    """The interval around one line of `of`: the more lines share the panel, the fainter each band."""
    _, low, high = measure
    axes.fill_between(rows[x], rows[low], rows[high], color=color, alpha=min(0.13, 0.45 / of), linewidth=0)


def fading_line(axes: Axes, rows: pd.DataFrame, color: object) -> None:
    """Thin segments and small markers from the first row to the last, fainter the earlier they are."""
    strengths = np.linspace(0.25, 0.8, max(len(rows) - 1, 1))
    for start, strength in enumerate(strengths[: len(rows) - 1]):
        step = rows.iloc[start : start + 2]
        axes.plot(step["tokens_mean"], step["accuracy"], color=color, alpha=strength, linewidth=1.4, zorder=2)
    for (_, row), strength in zip(rows.iloc[1:-1].iterrows(), strengths, strict=False):
        axes.plot(
            row["tokens_mean"], row["accuracy"], "o", color=color, alpha=strength, markersize=4, markeredgewidth=0
        )


def mark(axes: Axes, row: pd.Series, marker: str, size: float, color: object) -> None:
    """A large marker with its intervals as a cross; an interval that is NaN is not drawn."""
    x, y = row["tokens_mean"], row["accuracy"]
    axes.plot([row["tokens_low"], row["tokens_high"]], [y, y], color=color, linewidth=1.6, zorder=4)
    axes.plot([x, x], [row["accuracy_low"], row["accuracy_high"]], color=color, linewidth=1.6, zorder=4)
    axes.plot(x, y, marker, color=color, markersize=size, markeredgecolor="white", markeredgewidth=1.2, zorder=5)
