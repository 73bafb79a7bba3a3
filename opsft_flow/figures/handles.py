"""What stands in a legend: the base model, budgets or schedules, recipes, and rules that stopped a point."""

import pandas as pd
from matplotlib.lines import Line2D

from opsft_flow.figures.look import BASE_COLOR, MUTED_COLOR, STOP_MARKER, Look


def base_star() -> Line2D:
    return Line2D([], [], color=BASE_COLOR, marker="*", markersize=14, linestyle="", label="base model")


def base_line() -> Line2D:
    return Line2D([], [], color=BASE_COLOR, linestyle="--", label="base model")


def budget_handles(look: Look, marker: str) -> list[Line2D]:
    """One handle a budget or schedule; where colour is the recipe, the name of the only one alone."""
    shades = {arm: color for (_, arm), color in look.colors.items()}
    if _colored_by_recipe(look):
        return [Line2D([], [], linestyle="", label=arm) for arm in shades]
    return [Line2D([], [], color=color, marker=marker, linewidth=2, label=arm) for arm, color in shades.items()]


def recipe_handles(look: Look, marked: bool) -> list[Line2D]:
    """One handle a recipe, by its marker or its dash pattern, grey where colour is the budget; none when there is only one recipe to tell apart."""
    if len(look.markers) < 2:
        return []
    colors = {recipe: color for (recipe, _), color in look.colors.items()} if _colored_by_recipe(look) else {}
    return [
        Line2D([], [], color=colors.get(recipe, MUTED_COLOR), label=recipe, **_drawn(look, recipe, marked))
        for recipe in look.markers
    ]


def stop_handles(points: pd.DataFrame) -> list[Line2D]:
    """One cross for each rule that stopped a point."""
    rules = points["stopped"].dropna().unique() if "stopped" in points else []
    return [
        Line2D([], [], color=BASE_COLOR, marker=STOP_MARKER, linestyle="", label=f"stopped: {rule.replace('_', ' ')}")
        for rule in rules
    ]


def _colored_by_recipe(look: Look) -> bool:
    return 1 < len(look.markers) == len(look.colors)


def _drawn(look: Look, recipe: str, marked: bool) -> dict:
    return {"marker": look.markers[recipe], "linestyle": ""} if marked else {"linestyle": look.dashes[recipe]}
