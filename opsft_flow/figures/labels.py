"""Labels beside the last points, where they hide least of the panel."""

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from opsft_flow.figures.look import Look
from opsft_flow.figures.rows import base_rows, trajectories

LABEL_DISTANCES = (9, 18, 30, 44)


def label_last_points(axes: Axes, panel: pd.DataFrame, look: Look, size: str) -> None:
    """Say at the last points how much shorter than the base model they are: one label for all seeds, at their mean."""
    lasts = [rows.iloc[-1] for *_, rows in trajectories(panel)]
    if not lasts:
        return
    base_tokens = base_rows(panel)["tokens_mean"].mean()
    drawn, taken = _drawn_pixels(axes), [text.get_window_extent() for text in axes.texts]
    for (recipe, arm), seeds in pd.DataFrame(lasts).groupby(["recipe", "arm"]):
        tokens, accuracy = seeds["tokens_mean"].mean(), seeds["accuracy"].mean()
        name = arm if len(look.markers) == 1 else f"{recipe} {arm.removeprefix('budget ')}"
        saving = "" if np.isnan(base_tokens) else f": {_signed_percent(tokens / base_tokens - 1)} tokens"
        font = {"color": look.colors[recipe, arm], "weight": "bold", "size": size}
        taken.append(_place(axes, name + saving, (tokens, accuracy), font, drawn, taken))


def _signed_percent(fraction: float) -> str:
    return f"{fraction:+.0%}".replace("-", "\N{MINUS SIGN}")


def _place(axes: Axes, text: str, xy: tuple, font: dict, drawn: np.ndarray, taken: list[Bbox]) -> Bbox:
    """Write a label by a point, where it hides least of the panel; one that had to go far gets a line to its point."""
    halo = [withStroke(linewidth=3, foreground="white")]
    label = axes.annotate(text, xy, (0, 0), textcoords="offset points", path_effects=halo, zorder=6, **font)
    label.set_in_layout(False)
    directions = [(x, y) for x, y in product((1, -1, 0), (1, -1, 0)) if (x, y) != (0, 0)]
    candidates = [(x, y, distance) for distance in LABEL_DISTANCES for x, y in directions]
    best = min(candidates, key=lambda place: _hidden(_move(label, *place), axes.bbox, drawn, taken) + place[2])
    box = _move(label, *best)
    if best[2] > LABEL_DISTANCES[0]:
        leader = {"arrowstyle": "-", "color": font["color"], "linewidth": 0.8, "shrinkA": 0, "shrinkB": 5}
        axes.annotate("", xy, label.get_position(), textcoords="offset points", arrowprops=leader).set_in_layout(False)
    return box


def _move(label: Annotation, x: int, y: int, distance: float) -> Bbox:
    """Put a label `distance` points away in direction (x, y), and give the box of pixels that it then fills."""
    label.set(
        position=(x * distance, y * distance),
        horizontalalignment={1: "left", -1: "right", 0: "center"}[x],
        verticalalignment={1: "bottom", -1: "top", 0: "center"}[y],
    )
    return label.get_window_extent()


def _hidden(box: Bbox, panel: Bbox, drawn: np.ndarray, taken: list[Bbox]) -> float:
    """How bad a place for a label is: leaving the panel is worst, then another label, then each drawn pixel hidden."""
    leaves = not (panel.contains(box.x0, box.y0) and panel.contains(box.x1, box.y1))
    hides = np.all((drawn > box.min - 2) & (drawn < box.max + 2), axis=1).sum()
    return 1e6 * leaves + 1e5 * box.count_overlaps(taken) + 5 * hides


def _drawn_pixels(axes: Axes) -> np.ndarray:
    """Pixels along every line and marker of a panel, [n, 2]."""
    paths = [line.get_transform().transform_path(line.get_path()).interpolated(25) for line in axes.lines]
    return np.concatenate([path.vertices for path in paths])
