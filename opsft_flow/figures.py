"""The three figures of a sweep, drawn from its two tables.

Each figure is a pure function from a table to a matplotlib figure; `save` writes it. Colour is the token budget or its
schedule, and the marker (or the dash pattern of a line) is the recipe; where there is one budget alone, colour is the recipe too. So a
point of the sweep looks the same everywhere. In the tables a share or an accuracy is a fraction; on the axes it is in percent.

The points table has one row per policy and benchmark; the base model's rows have recipe "base", iteration 0, and no
budget or seed. `budget` is that of the row's iteration; where it follows a schedule, `schedule` names it. The curves
table has one row per policy, benchmark and cut-off.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import Bbox

from opsft_flow.files import atomic

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
LABEL_DISTANCES = (9, 18, 30, 44)
THOUSANDS = "{x:,.0f}"
MARKERS = "oDsP^vX<>"
STOP_MARKER = "x"
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)), (0, (8, 2, 1, 2, 1, 2)))

ACCURACY = ["accuracy", "accuracy_low", "accuracy_high"]
TOKENS = ["tokens_mean", "tokens_low", "tokens_high"]
PANEL = ["model", "benchmark"]
POINT = ["recipe", "arm", "seed"]


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
        points = _without_base(table)
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


@matplotlib.rc_context(STYLE)
def pareto(points: pd.DataFrame) -> Figure:
    """Accuracy against mean tokens: the base model, the way of every point from it, and where each point ended.

    One panel per model and benchmark. The large markers are last iterations, with their intervals in both directions;
    the small ones are the iterations before.
    """
    points = _with_measures(points, ACCURACY + TOKENS)
    look = Look.of(points)
    panels = list(points.groupby(PANEL, sort=False))
    figure, grid = _panels(len(panels), columns=min(len(panels), 2), size=(8, 5) if len(panels) == 1 else (5.2, 4.2))
    for axes, (_, panel) in zip(grid, panels, strict=True):
        _pareto_panel(axes, panel, look)
    _titles(grid, panels)
    _legend(figure, [_base_star(), *_budget_handles(look, "o"), *_recipe_handles(look, marked=True)])
    figure.draw_without_rendering()
    for axes, (_, panel) in zip(grid, panels, strict=True):
        _label_last_points(axes, panel, look, size="medium" if len(panels) == 1 else "small")
    return figure


@matplotlib.rc_context(STYLE)
def budget_curves(curves: pd.DataFrame) -> Figure:
    """Accuracy if every response had been cut at B tokens, against B: the base model and every point's last iteration.

    One panel per model and benchmark. A dotted vertical line stands at each budget that was trained for, of a schedule the last.
    """
    curves = _with_measures(curves, ["tokens", *ACCURACY])
    look = Look.of(curves)
    panels = list(curves.groupby(PANEL, sort=False))
    figure, grid = _panels(len(panels), columns=min(len(panels), 2), size=(8, 4.6) if len(panels) == 1 else (5.2, 4))
    for axes, (_, panel) in zip(grid, panels, strict=True):
        _budget_curves_panel(axes, panel, look)
    _titles(grid, panels)
    _legend(figure, [_base_line(), *_budget_handles(look, ""), *_recipe_handles(look, marked=False)])
    return figure


@matplotlib.rc_context(STYLE)
def over_iterations(points: pd.DataFrame) -> Figure:
    """Mean tokens, accuracy and the share of rollouts kept by the filter, against the iteration; 0 is the base model.

    A cross stands where a point stopped; its line goes on with the same policy. One column per model and benchmark. The share kept belongs to training, so it does not depend on the benchmark.
    """
    points = _with_measures(points, [*ACCURACY, *TOKENS, "kept_share", "stopped_after"])
    look = Look.of(points)
    panels = list(points.groupby(PANEL, sort=False))
    figure = Figure(figsize=(8 if len(panels) == 1 else 4.4 * len(panels), 8), layout="constrained")
    grid = figure.subplots(3, len(panels), sharex=True, squeeze=False)
    for column, (_, panel) in zip(grid.T, panels, strict=True):
        _over_iterations_column(column, panel, look)
    for axes, label in zip(grid[:, 0], ("mean tokens", "accuracy (%)", "rollouts kept (%)"), strict=True):
        axes.set_ylabel(label)
    figure.align_ylabels()
    _titles(grid[0], panels)
    handles = [_base_line(), *_budget_handles(look, "o"), *_recipe_handles(look, marked=False), *_stop_handles(points)]
    _legend(figure, handles)
    return figure


@matplotlib.rc_context(STYLE)
def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.svg and `stem`.png; the same figure gives the same bytes."""
    for suffix, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 160})):
        with atomic(f"{stem}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, **options)


# Tables


def _with_measures(table: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    """A copy in which every measure is there, as floats (absent is NaN), shares and accuracies in percent.

    `arm` is what tells the points of a recipe apart, but for the seed: the budget or its schedule, in words.
    """
    wanted = ["schedule", *measures]
    table = table.reindex(columns=[*table.columns, *(name for name in wanted if name not in table)])
    table[["iteration", "budget", *measures]] = table[["iteration", "budget", *measures]].astype(float)
    fractions = [name for name in measures if name in (*ACCURACY, "kept_share")]
    table[fractions] *= 100
    constant = table["budget"].map("budget {:.0f}".format)
    table["arm"] = table["schedule"].astype(object).where(table["schedule"].notna(), constant)
    return table


def _base(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["recipe"] == "base"]


def _without_base(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["recipe"] != "base"]


def _trajectories(panel: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """(recipe, arm, rows by iteration) of every point; the rows start with the base model's, if there is one."""
    return [
        (recipe, arm, pd.concat([_base(panel), rows.sort_values("iteration")]))
        for (recipe, arm, _), rows in _without_base(panel).groupby(POINT, dropna=False)
    ]


# Panels


def _pareto_panel(axes: Axes, panel: pd.DataFrame, look: Look) -> None:
    base = _base(panel)
    _base_level(axes, base, ACCURACY)
    for recipe, arm, rows in _trajectories(panel):
        _fading_line(axes, rows, look.colors[recipe, arm])
        _mark(axes, rows.iloc[-1], look.markers[recipe], size=10, color=look.colors[recipe, arm])
    for _, row in base.iterrows():
        _mark(axes, row, "*", size=19, color=BASE_COLOR)
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


def _budget_curves_panel(axes: Axes, panel: pd.DataFrame, look: Look) -> None:
    points = _without_base(panel).groupby(POINT, dropna=False)
    for (recipe, arm, _), rows in points:
        last = rows[rows["iteration"] == rows["iteration"].max()].sort_values("tokens")
        _band(axes, last, "tokens", ACCURACY, look.colors[recipe, arm], of=points.ngroups)
        axes.plot(
            last["tokens"], last["accuracy"], color=look.colors[recipe, arm], linestyle=look.dashes[recipe], linewidth=2
        )
        axes.axvline(last["budget"].iloc[0], color=look.colors[recipe, arm], linestyle=":", linewidth=1.2, zorder=1)
    base = _base(panel).sort_values("tokens")
    _band(axes, base, "tokens", ACCURACY, BASE_COLOR, of=1)
    axes.plot(base["tokens"], base["accuracy"], color=BASE_COLOR, linestyle="--", linewidth=2)
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_formatter(THOUSANDS)
    axes.set(xlabel="token budget B", ylabel="accuracy (%), finished within B")
    axes.set_ylim(bottom=0)


def _over_iterations_column(column: np.ndarray, panel: pd.DataFrame, look: Look) -> None:
    tokens, accuracy, kept = column
    _base_level(tokens, _base(panel), TOKENS)
    _base_level(accuracy, _base(panel), ACCURACY)
    trajectories = _trajectories(panel)
    for recipe, arm, rows in trajectories:
        line = {"color": look.colors[recipe, arm], "linestyle": look.dashes[recipe], "marker": "o", "markersize": 4.5}
        for axes, measure in ((tokens, TOKENS), (accuracy, ACCURACY)):
            _band(axes, rows, "iteration", measure, look.colors[recipe, arm], of=len(trajectories))
            axes.plot(rows["iteration"], rows[measure[0]], **line)
            for _, last in rows[rows["iteration"] == rows["stopped_after"].max()].iterrows():
                axes.plot(last["iteration"], last[measure[0]], STOP_MARKER, color=BASE_COLOR, markersize=9, zorder=5)
        kept.plot(rows["iteration"], rows["kept_share"], **line)
    tokens.set_ylim(bottom=0)
    tokens.yaxis.set_major_formatter(THOUSANDS)
    kept.set(xlabel="iteration", ylim=(0, 100))
    kept.xaxis.set_major_locator(MaxNLocator(integer=True))


# Marks


def _base_level(axes: Axes, base: pd.DataFrame, measure: list[str]) -> None:
    """The base model's value as a dashed line across the panel, its interval as a grey band."""
    value, low, high = measure
    for _, row in base.iterrows():
        axes.axhline(row[value], color=BASE_COLOR, linestyle="--", linewidth=1, zorder=1)
        axes.axhspan(row[low], row[high], color=MUTED_COLOR, alpha=0.12, linewidth=0, zorder=0)


def _band(axes: Axes, rows: pd.DataFrame, x: str, measure: list[str], color: object, of: int) -> None:
    """The interval around one line of `of`: the more lines share the panel, the fainter each band."""
    _, low, high = measure
    axes.fill_between(rows[x], rows[low], rows[high], color=color, alpha=min(0.13, 0.45 / of), linewidth=0)


def _fading_line(axes: Axes, rows: pd.DataFrame, color: object) -> None:
    """Thin segments and small markers from the first row to the last, fainter the earlier they are."""
    strengths = np.linspace(0.25, 0.8, max(len(rows) - 1, 1))
    for start, strength in enumerate(strengths[: len(rows) - 1]):
        step = rows.iloc[start : start + 2]
        axes.plot(step["tokens_mean"], step["accuracy"], color=color, alpha=strength, linewidth=1.4, zorder=2)
    for (_, row), strength in zip(rows.iloc[1:-1].iterrows(), strengths, strict=False):
        axes.plot(
            row["tokens_mean"], row["accuracy"], "o", color=color, alpha=strength, markersize=4, markeredgewidth=0
        )


def _mark(axes: Axes, row: pd.Series, marker: str, size: float, color: object) -> None:
    """A large marker with its intervals as a cross; an interval that is NaN is not drawn."""
    x, y = row["tokens_mean"], row["accuracy"]
    axes.plot([row["tokens_low"], row["tokens_high"]], [y, y], color=color, linewidth=1.6, zorder=4)
    axes.plot([x, x], [row["accuracy_low"], row["accuracy_high"]], color=color, linewidth=1.6, zorder=4)
    axes.plot(x, y, marker, color=color, markersize=size, markeredgecolor="white", markeredgewidth=1.2, zorder=5)


# Labels


def _label_last_points(axes: Axes, panel: pd.DataFrame, look: Look, size: str) -> None:
    """Say at the last points how much shorter than the base model they are: one label for all seeds, at their mean."""
    lasts = [rows.iloc[-1] for *_, rows in _trajectories(panel)]
    if not lasts:
        return
    base_tokens = _base(panel)["tokens_mean"].mean()
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


# Panels of a figure, and its legend


def _panels(count: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of `size` inches each."""
    rows = -(-count // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for spare in grid[count:]:
        spare.remove()
    return figure, list(grid[:count])


def _titles(grid: Iterable[Axes], panels: list) -> None:
    separator = " \N{MIDDLE DOT} " if len(panels) == 1 else "\n"
    for axes, ((model, benchmark), _) in zip(grid, panels, strict=True):
        axes.set_title(f"{model}{separator}{benchmark}", size="medium", pad=10)


def _legend(figure: Figure, handles: list[Line2D]) -> None:
    """A legend below the panels, in as many columns as its longest label leaves room for."""
    column = 0.65 + 0.09 * max(len(handle.get_label()) for handle in handles)
    columns = max(1, int(figure.get_figwidth() / column))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), columns), handletextpad=0.5)


def _base_star() -> Line2D:
    return Line2D([], [], color=BASE_COLOR, marker="*", markersize=14, linestyle="", label="base model")


def _base_line() -> Line2D:
    return Line2D([], [], color=BASE_COLOR, linestyle="--", label="base model")


def _budget_handles(look: Look, marker: str) -> list[Line2D]:
    """One handle a budget or schedule; where colour is the recipe, the name of the only one alone."""
    shades = {arm: color for (_, arm), color in look.colors.items()}
    if _colored_by_recipe(look):
        return [Line2D([], [], linestyle="", label=arm) for arm in shades]
    return [Line2D([], [], color=color, marker=marker, linewidth=2, label=arm) for arm, color in shades.items()]


def _colored_by_recipe(look: Look) -> bool:
    return 1 < len(look.markers) == len(look.colors)


def _stop_handles(points: pd.DataFrame) -> list[Line2D]:
    """One cross for each rule that stopped a point."""
    rules = points["stopped"].dropna().unique() if "stopped" in points else []
    return [
        Line2D([], [], color=BASE_COLOR, marker=STOP_MARKER, linestyle="", label=f"stopped: {rule.replace('_', ' ')}")
        for rule in rules
    ]


def _recipe_handles(look: Look, marked: bool) -> list[Line2D]:
    """One handle a recipe, by its marker or its dash pattern, grey where colour is the budget; none when there is only one recipe to tell apart."""
    if len(look.markers) < 2:
        return []
    colors = {recipe: color for (recipe, _), color in look.colors.items()} if _colored_by_recipe(look) else {}
    return [
        Line2D([], [], color=colors.get(recipe, MUTED_COLOR), label=recipe, **_drawn(look, recipe, marked))
        for recipe in look.markers
    ]


def _drawn(look: Look, recipe: str, marked: bool) -> dict:
    return {"marker": look.markers[recipe], "linestyle": ""} if marked else {"linestyle": look.dashes[recipe]}
