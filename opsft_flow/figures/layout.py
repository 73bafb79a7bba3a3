"""The panels of a figure, their titles, and the legend below them."""

from collections.abc import Iterable

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D


def panels_of(count: int, columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels of `size` inches each."""
    rows = -(-count // columns)
    figure = Figure(figsize=(size[0] * columns, size[1] * rows), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False).flat
    for spare in grid[count:]:
        spare.remove()
    return figure, list(grid[:count])


def titles(grid: Iterable[Axes], panels: list) -> None:
    separator = " \N{MIDDLE DOT} " if len(panels) == 1 else "\n"
    for axes, ((model, benchmark), _) in zip(grid, panels, strict=True):
        axes.set_title(f"{model}{separator}{benchmark}", size="medium", pad=10)


def legend(figure: Figure, handles: list[Line2D]) -> None:
    """A legend below the panels, in as many columns as its longest label leaves room for."""
    column = 0.65 + 0.09 * max(len(handle.get_label()) for handle in handles)
    columns = max(1, int(figure.get_figwidth() / column))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), columns), handletextpad=0.5)
