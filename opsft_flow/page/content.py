"""Everything that the page shows, gathered from the summary tables and the results tree as plain JSON values."""

import math
from pathlib import Path

import pandas

from opsft_flow.page.columns import describe, describe_pairs
from opsft_flow.page.remarks import remarks
from opsft_flow.page.runs import rates, run_rows, when, with_what
from opsft_flow.page.samples import choose, outcomes, pair, read_first_responses, read_texts, text_limit, thin
from opsft_flow.page.settings import point_settings, split_common
from opsft_flow.places import Place, problem_file
from opsft_flow.points import Point
from opsft_flow.tables import PROBLEM, read_table

POINT = ["model", "recipe", "arm", "seed"]
"""What tells the points apart; `arm` is the budget, or the schedule that it follows."""

SIGNIFICANT = 6
"""Digits of a number on the page."""

SHOWN_PAIRS = 500
"""Pairs of points on the page, of one model and benchmark: 500 points have 124,750."""


def page_data(
    settings: dict,
    points: pandas.DataFrame,
    curves: pandas.DataFrame,
    training: pandas.DataFrame,
    recipes: pandas.DataFrame,
    pairs: pandas.DataFrame,
) -> dict:
    """What the same results give in every run, from the five tables and the results tree.

    `settings` are those of the page node: results, points (with iterations, benchmarks and tracked iterations), base (benchmarks
    of each model) and problems (the problem set of each benchmark).
    """
    points, curves = with_arms(points), with_arms(curves)
    common, own = split_common([point_settings(settings["results"], block) for block in settings["points"]])
    return {
        "columns": describe(points.drop(columns="arm")),
        "points": by_column(points),
        "curves": by_column(last_iterations(curves)),
        "comparisons": {
            "recipes": {"columns": describe(recipes), "rows": by_column(recipes)},
            "pairs": {"columns": describe_pairs(pairs), **first_pairs(pairs)},
        },
        "remarks": all_remarks(points, with_arms(training)),
        "samples": all_samples(settings),
        "settings": {
            "common": common,
            "points": [{**identity(b), "own": o} for b, o in zip(settings["points"], own, strict=True)],
        },
    }


def run_data(settings: dict, nodes: pandas.DataFrame) -> dict:
    """What was run and when; differs from run to run. `nodes` are the timings by kind of node."""
    rows = run_rows(settings)
    return {"when": when(rows), "with": with_what(rows), "nodes": rates(rows, nodes.to_dict("records"))}


def identity(block: dict) -> dict:
    return {key: block[key] for key in ("model", "recipe", "seed")} | {"arm": str(block["budget"])}


def with_arms(table: pandas.DataFrame) -> pandas.DataFrame:
    """The table with the column `arm`: the schedule where a row has one, else the budget, as text; none for a base model."""
    schedules = table["schedule"] if "schedule" in table else [None] * len(table)
    arms = [arm_of(budget, schedule) for budget, schedule in zip(table["budget"], schedules, strict=True)]
    return table.assign(arm=pandas.Series(arms, index=table.index, dtype=object))


def arm_of(budget: float | None, schedule: str | None) -> str | None:
    if not pandas.isna(schedule):
        return schedule
    return None if pandas.isna(budget) else f"{budget:.0f}"


def by_column(table: pandas.DataFrame) -> dict[str, list]:
    """A table as {column: values}; a value that is missing or not finite is None."""
    return {name: [plain(value) for value in table[name].tolist()] for name in table}


def plain(value: object) -> object:
    """A value that JSON can hold, a number with no more digits than are shown."""
    if value is None or value is pandas.NA or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return float(f"{value:.{SIGNIFICANT}g}") if isinstance(value, float) else value


def first_pairs(pairs: pandas.DataFrame) -> dict[str, dict[str, list]]:
    """The first pairs of each model and benchmark, and how many each has."""
    groups = pairs.groupby(["model", "benchmark"], sort=False)
    counts = groups.size().reset_index(name="pairs")
    return {"rows": by_column(groups.head(SHOWN_PAIRS)), "counts": by_column(counts)}


def last_iterations(table: pandas.DataFrame) -> pandas.DataFrame:
    """The rows of each point's last iteration on each benchmark; the base model's rows are all of iteration 0."""
    last = table.groupby([*POINT, "benchmark"], dropna=False)["iteration"].transform("max")
    return table[table["iteration"] == last]


def all_remarks(points: pandas.DataFrame, training: pandas.DataFrame) -> list[dict]:
    """For each point and benchmark the remarks on its last policy."""
    trained = {keys: rows.sort_values("iteration") for keys, rows in training.groupby(POINT)}
    last = last_iterations(points[points["recipe"] != "base"])
    return [
        {name: plain(row[name]) for name in (*POINT, "benchmark")}
        | {"remarks": remarks(row, trained[tuple(row[POINT])])}
        for _, row in last.iterrows()
    ]


def all_samples(settings: dict) -> list[dict]:
    """For each point and benchmark the problems chosen, with both responses; nothing where the rollouts are gone."""
    results, compared, before = settings["results"], [], {}
    for block in settings["points"]:
        for benchmark in block["benchmarks"]:
            base = f"{results}/{Place(block['model'], None, 0, benchmark).path}"
            if base not in before:
                before[base] = read_first_responses(base)
            point = Point(block["model"], block["recipe"], block["budget"], block["seed"])
            folder = f"{results}/{Place(point.model, point, block['iterations'], benchmark).path}"
            after = read_first_responses(folder)
            if before[base] is not None and after is not None:
                pairs = pair(before[base], after)
                head = {**identity(block), "benchmark": benchmark, "outcomes": outcomes(pairs)}
                compared.append((head, base, folder, choose(pairs), pairs.set_index("problem_id")))
    limit = text_limit(2 * sum(len(chosen) for *_, chosen, _ in compared))
    problems = {name: questions(f"{results}/{problem_file(source)}") for name, source in settings["problems"].items()}
    return [
        {**head, "pairs": show_pairs(base, folder, chosen, pairs, problems[head["benchmark"]], limit)}
        for head, base, folder, chosen, pairs in compared
    ]


def questions(path: str) -> dict[str, tuple[str, str]]:
    """The last message of each problem's prompt, and its reference answer; none where the file is gone."""
    if not Path(path).exists():
        return {}
    rows = read_table(path, PROBLEM, ["problem_id", "prompt", "answer"])
    return {row["problem_id"]: (row["prompt"][-1]["content"], row["answer"]) for row in rows}


def show_pairs(base: str, folder: str, chosen: dict, pairs: pandas.DataFrame, problems: dict, limit: int) -> list[dict]:
    wanted = set(chosen.values())
    texts = {"before": read_texts(base, wanted), "after": read_texts(folder, wanted)}
    shown = []
    for why, problem_id in chosen.items():
        row, (question, answer) = pairs.loc[problem_id], problems.get(problem_id, ("", ""))
        responses = {side: response(row, side, thin(texts[side][problem_id], limit)) for side in texts}
        asked = {"problem": problem_id, "question": thin(question, limit), "reference": answer}
        shown.append({"why": why, **asked, **responses})
    return shown


def response(row: pandas.Series, side: str, text: str) -> dict:
    return {
        "tokens": int(row[f"tokens_{side}"]),
        "finished": row[f"finish_reason_{side}"] == "stop",
        "correct": bool(row[f"correct_{side}"]),
        "answer": plain(row[f"answer_{side}"]),
        "reason": row[f"reason_{side}"],
        "text": text,
    }
