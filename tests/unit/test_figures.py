"""The three figures, on small tables whose every number is known."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text

from opsft_flow.figures import budget_curves, over_iterations, pareto, save

KEYS = ["model", "recipe", "budget", "seed", "iteration", "benchmark"]


def point_row(recipe="base", budget=np.nan, seed=np.nan, iteration=0, accuracy=0.8, tokens=100.0, **others) -> dict:
    return {
        "model": "toy",
        "recipe": recipe,
        "budget": budget,
        "seed": seed,
        "iteration": iteration,
        "benchmark": "sums",
        "problems": 50,
        "samples": 4,
        "accuracy": accuracy,
        "accuracy_low": accuracy - 0.05,
        "accuracy_high": accuracy + 0.05,
        "tokens_mean": tokens,
        "tokens_low": tokens - 4,
        "tokens_high": tokens + 4,
    } | others


def sweep(budgets=(24, 32), recipes=("correct_within",), seeds=(0,), iterations=3, **others) -> pd.DataFrame:
    """The base at 100 tokens; each iteration takes 20 tokens off, and each step up in budget gives 5 back."""
    rows = [point_row(**others)]
    for recipe in recipes:
        for step, budget in enumerate(budgets):
            for seed in seeds:
                for i in range(1, iterations + 1):
                    place = {"accuracy": 0.8 - 0.01 * i - 0.02 * seed, "tokens": 100 - 20.0 * i + 5 * step}
                    rows.append(point_row(recipe, budget, seed, i, kept_share=0.2 * i, **place, **others))
    return pd.DataFrame(rows)


def curves_of(points: pd.DataFrame) -> pd.DataFrame:
    """Each policy's accuracy at four cut-offs, growing in proportion to the cut-off."""
    grid = pd.DataFrame({"tokens": [16, 32, 64, 128], "part": [0.25, 0.5, 0.75, 1.0]})
    curves = points.merge(grid, how="cross")
    for name in ("accuracy", "accuracy_low", "accuracy_high"):
        curves[name] *= curves["part"]
    return curves[[*KEYS, "tokens", "accuracy", "accuracy_low", "accuracy_high"]]


def legend_labels(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts if "budget" in text.get_text() or "tokens" in text.get_text()]


def lines_of(axes: Axes, marker: str) -> list[tuple[float, float]]:
    """(x, y) of every single mark of one shape."""
    marks = [line for line in axes.lines if line.get_marker() == marker and len(line.get_xdata()) == 1]
    return [(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in marks]


def test_pareto_marks_base_and_last_iterations_in_percent():
    axes = pareto(sweep()).axes[0]
    assert axes.get_xlabel() == "mean tokens per response"
    assert axes.get_ylabel() == "accuracy (%)"
    assert lines_of(axes, "*") == [(100, pytest.approx(80))]
    large = [line for line in axes.lines if line.get_marker() == "o" and line.get_markersize() > 5]
    assert [line.get_xdata()[0] for line in large] == [40, 45]
    assert [line.get_ydata()[0] for line in large] == pytest.approx([77, 77])


def test_pareto_draws_both_intervals_of_a_point():
    points = pd.DataFrame([point_row(), point_row("correct_within", 24, 0, 1, accuracy=0.7, tokens=40)])
    crosses = [line.get_xydata().tolist() for line in pareto(points).axes[0].lines if line.get_linewidth() == 1.6]
    assert crosses[0] == [[36, pytest.approx(70)], [44, pytest.approx(70)]]
    assert crosses[1] == [[40, pytest.approx(65)], [40, pytest.approx(75)]]


def test_pareto_trajectory_runs_from_the_base_and_grows_stronger():
    axes = pareto(sweep(budgets=(24,)).sample(frac=1, random_state=1)).axes[0]
    steps = [line for line in axes.lines if line.get_linewidth() == 1.4 and line.get_marker() == "None"]
    assert [line.get_xdata().tolist() for line in steps] == [[100, 80], [80, 60], [60, 40]]
    strengths = [line.get_alpha() for line in steps]
    assert strengths == sorted(set(strengths))


def test_pareto_label_says_how_much_shorter():
    # 40 of 100 tokens is 60% fewer; 45 of 100 is 55% fewer.
    assert labels(pareto(sweep()).axes[0]) == [
        "budget 24: \N{MINUS SIGN}60% tokens",
        "budget 32: \N{MINUS SIGN}55% tokens",
    ]


def test_pareto_label_of_a_longer_policy_has_a_plus():
    points = pd.DataFrame([point_row(), point_row("correct_within", 24, 0, 1, tokens=112.0)])
    assert labels(pareto(points).axes[0]) == ["budget 24: +12% tokens"]


def test_pareto_gives_all_seeds_of_a_budget_one_label():
    axes = pareto(sweep(budgets=(24,), seeds=(0, 1, 2))).axes[0]
    assert labels(axes) == ["budget 24: \N{MINUS SIGN}60% tokens"]
    assert sum(line.get_markersize() == 10 for line in axes.lines) == 3


def test_pareto_labels_neither_overlap_nor_leave_the_panel():
    figure = pareto(sweep(budgets=(24, 28, 32, 36, 40, 48)))
    axes = figure.axes[0]
    boxes = [Text.get_window_extent(text) for text in axes.texts if text.get_text()]
    assert len(boxes) == 8
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(axes.bbox.contains(*corner) for box in boxes for corner in (box.min, box.max))


def test_several_recipes_have_their_own_marker_and_name():
    figure = pareto(sweep(budgets=(24,), recipes=("correct_within", "shortest_k")))
    assert legend_labels(figure) == ["base model", "budget 24", "correct_within", "shortest_k"]
    assert {line.get_marker() for line in figure.axes[0].lines if line.get_markersize() == 10} == {"o", "D"}
    assert labels(figure.axes[0])[0].startswith("correct_within 24: ")


def last_colors(figure: Figure) -> list[tuple]:
    """The different colours of the large markers of points, the base model's aside."""
    marks = [line for line in figure.axes[0].lines if line.get_markersize() == 10]
    return list(dict.fromkeys(to_rgba(line.get_color()) for line in marks))


@pytest.mark.parametrize(("budgets", "colors"), [((24,), 3), ((24, 32), 2)])
def test_color_is_the_recipe_where_there_is_one_budget_and_else_the_budget(budgets, colors):
    figure = pareto(sweep(budgets=budgets, recipes=("correct_within", "offpolicy", "shortest_k")))
    assert len(last_colors(figure)) == colors
    handles = {handle.get_label(): handle for handle in figure.legends[0].legend_handles}
    of_recipes = {to_rgba(handles[name].get_color()) for name in ("correct_within", "offpolicy", "shortest_k")}
    assert of_recipes == set(last_colors(figure)) if colors == 3 else len(of_recipes) == 1


def test_legend_names_every_budget_in_order():
    figure = pareto(sweep(budgets=(48, 24, 32)))
    assert legend_labels(figure) == ["base model", "budget 24", "budget 32", "budget 48"]


def tightening(budgets: tuple[int, ...]) -> pd.DataFrame:
    """Two points of constant budgets, and one whose budget changes in each iteration."""
    rows = [point_row("correct_within", budget, 0, i + 1, schedule="tighten") for i, budget in enumerate(budgets)]
    return pd.concat([sweep(budgets=(24, 48)), pd.DataFrame(rows)], ignore_index=True)


def test_a_schedule_is_one_point_with_its_own_name_and_its_place_by_its_last_budget():
    figure = pareto(tightening((60, 40, 30)))
    assert legend_labels(figure) == ["base model", "budget 24", "tighten", "budget 48"]
    assert [label.split(":")[0] for label in labels(figure.axes[0])] == ["budget 24", "budget 48", "tighten"]


def test_a_schedule_that_ends_at_a_constant_budget_is_told_apart_from_it():
    assert legend_labels(pareto(tightening((60, 24)))) == ["base model", "budget 24", "tighten", "budget 48"]


def test_budget_curves_mark_the_last_budget_of_a_schedule():
    points = tightening((60, 40, 30))
    axes = budget_curves(curves_of(points).merge(points[["schedule", *KEYS]])).axes[0]
    marked = [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == ":"]
    assert sorted(marked) == [24, 30, 48]


def test_legend_stays_inside_the_figure_when_it_is_long():
    figure = pareto(sweep(recipes=("correct_within", "difficulty_adaptive", "shortest_fraction", "reject_trivial")))
    figure.draw_without_rendering()
    box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_a_budget_has_one_color_in_all_figures():
    points = sweep(budgets=(24, 32, 48))
    handles = [figure.legends[0].get_lines() for figure in (pareto(points), over_iterations(points))]
    handles.append(budget_curves(curves_of(points)).legends[0].get_lines())
    colors = [{line.get_label(): to_rgba(line.get_color()) for line in lines[1:]} for lines in handles]
    assert colors[0] == colors[1] == colors[2]
    assert len(set(colors[0].values())) == 3


def test_one_panel_for_each_model_and_benchmark():
    tables = [sweep(benchmark="sums"), sweep(benchmark="products"), sweep(model="larger")]
    points = pd.concat(tables, ignore_index=True)
    titles = ["toy\nsums", "toy\nproducts", "larger\nsums"]
    assert [axes.get_title(loc="left") for axes in pareto(points).axes] == titles
    assert [axes.get_title(loc="left") for axes in budget_curves(curves_of(points)).axes] == titles
    assert len(over_iterations(points).axes) == 9


def test_budget_curves_draw_base_dashed_and_only_last_iterations():
    axes = budget_curves(curves_of(sweep(seeds=(0, 1)))).axes[0]
    assert axes.get_xscale() == "log"
    curves = [line for line in axes.lines if len(line.get_xdata()) == 4]
    dashed = [line for line in curves if line.get_linestyle() == "--"]
    assert len(curves) == 5
    assert [line.get_color() for line in dashed] == ["black"]
    assert dashed[0].get_xdata().tolist() == [16, 32, 64, 128]
    assert dashed[0].get_ydata().tolist() == pytest.approx([20, 40, 60, 80])
    assert curves[0].get_ydata().tolist() == pytest.approx([0.25 * 77, 0.5 * 77, 0.75 * 77, 77])


def test_budget_curves_have_a_band_for_every_curve():
    axes = budget_curves(curves_of(sweep())).axes[0]
    tops = sorted(band.get_paths()[0].vertices[:, 1].max() for band in axes.collections)
    assert tops == pytest.approx([82, 82, 85])


def test_iterations_start_at_the_base_and_share_their_axis():
    tokens, accuracy, kept = over_iterations(sweep(budgets=(24,))).axes
    assert [axes.get_ylabel() for axes in (tokens, accuracy, kept)] == [
        "mean tokens",
        "accuracy (%)",
        "rollouts kept (%)",
    ]
    assert kept.get_xlabel() == "iteration"
    assert tokens.get_xlim() == accuracy.get_xlim() == kept.get_xlim()
    assert tokens.lines[-1].get_xydata().tolist() == [[0, 100], [1, 80], [2, 60], [3, 40]]
    assert accuracy.lines[-1].get_ydata().tolist() == pytest.approx([80, 79, 78, 77])
    assert kept.lines[-1].get_ydata().tolist() == pytest.approx([np.nan, 20, 40, 60], nan_ok=True)


def test_iterations_show_the_interval_of_the_base_as_a_band():
    accuracy = over_iterations(sweep()).axes[1]
    band = accuracy.patches[0]
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((75, 85))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [slice(0, 1), slice(1, 2), slice(0, 2)], ids=["base", "point", "both"])
def test_smallest_tables_can_be_drawn(rows: slice):
    points = sweep(budgets=(24,), iterations=1).iloc[rows]
    for figure in (pareto(points), budget_curves(curves_of(points)), over_iterations(points)):
        figure.draw_without_rendering()
        assert figure.axes[0].get_title(loc="left") == "toy \N{MIDDLE DOT} sums"
        assert figure.axes[0].lines


@pytest.mark.filterwarnings("error")
def test_intervals_that_are_not_known_are_left_out():
    intervals = ["accuracy_low", "accuracy_high", "tokens_low", "tokens_high"]
    points = sweep().assign(**dict.fromkeys(intervals, np.nan))
    for figure in (pareto(points), budget_curves(curves_of(points)), over_iterations(points)):
        figure.draw_without_rendering()
    assert lines_of(pareto(points).axes[0], "*") == [(100, pytest.approx(80))]


@pytest.mark.parametrize("kept", [None, "absent"])
def test_base_rows_without_training_columns_can_be_drawn(kept: str | None):
    points = pd.DataFrame([point_row()]).assign(kept_share=None)
    if kept == "absent":
        points = points.drop(columns="kept_share")
    assert len(over_iterations(points).axes) == 3


def test_drawing_leaves_the_table_as_it_was():
    points = sweep()
    before = points.copy(deep=True)
    pareto(points)
    over_iterations(points)
    pd.testing.assert_frame_equal(points, before)


def test_saving_twice_gives_the_same_bytes(tmp_path: Path):
    for stem in ("one", "two"):
        save(pareto(sweep()), tmp_path / stem)
    for suffix in (".svg", ".png"):
        assert (tmp_path / f"one{suffix}").read_bytes() == (tmp_path / f"two{suffix}").read_bytes()


def test_saving_keeps_dots_in_the_name(tmp_path: Path):
    save(pareto(sweep()), tmp_path / "toy.v1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["toy.v1.png", "toy.v1.svg"]


def test_a_cross_stands_where_a_point_stopped():
    points = sweep(budgets=(24, 32), iterations=3)
    of_point = (points["budget"] == 24) & (points["iteration"] == 3)
    points.loc[of_point, ["stopped", "stopped_after"]] = ["length_plateau", 2]
    figure = over_iterations(points)
    crosses = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "x"]
    assert [line.get_xdata()[0] for line in crosses] == [2, 2]
    assert [line.get_ydata()[0] for line in crosses] == pytest.approx([60.0, 78.0])
    assert "stopped: length plateau" in legend_labels(figure)
    assert not any("stopped" in label for label in legend_labels(over_iterations(sweep())))
