"""What the page of a sweep shows, from a small sweep made by hand."""

import base64
import hashlib
import json
import re

import pandas
import pytest

from opsft_flow.files import read_json, write_json
from opsft_flow.page.build import as_json, assets_hash, build
from opsft_flow.page.columns import FAMILIES, KNOWN, describe, describe_pairs
from opsft_flow.page.content import (
    SHOWN_PAIRS,
    all_remarks,
    by_column,
    first_pairs,
    last_iterations,
    page_data,
    run_data,
    with_arms,
)
from opsft_flow.page.remarks import remarks
from opsft_flow.page.runs import rates, when, with_what
from opsft_flow.page.samples import choose, outcomes, pair, read_first_responses, text_limit, thin
from opsft_flow.page.settings import flatten, point_settings, split_common
from opsft_flow.reporting.csv_tables import read_csv_table
from opsft_flow.reporting.summary import flatten_metrics, training_columns
from opsft_flow.tables import VERDICT, read_table, write_table
from tests.unit.page_tree import (
    HOSTILE,
    curves_table,
    nodes_table,
    pairs_table,
    points_table,
    recipes_table,
    training_table,
    write_tree,
)
from tests.unit.test_summary import metrics, statistics


@pytest.fixture
def settings(tmp_path):
    return write_tree(tmp_path)


def data_of(settings: dict) -> dict:
    return page_data(settings, points_table(), curves_table(), training_table(), recipes_table(), pairs_table())


# Columns


def test_every_column_of_the_summary_is_described(tmp_path):
    write_json(tmp_path / "train/filter.json", statistics(8))
    stopped = {"rule": "length_plateau", "iteration": 1, "message": "as long as before"}
    manifest = {"metrics": {}, "copied": False, "updates": 4, "tokens_trained": 40, "stopped": stopped}
    write_json(tmp_path / "policy.json", manifest)
    columns = {**flatten_metrics(metrics(0.5)), **training_columns(str(tmp_path))}
    described = describe(pandas.DataFrame([columns]))
    assert [column["name"] for column in described if column["group"] == "Other"] == []
    assert all(column["description"] for column in described)


def test_an_interval_belongs_to_its_column_whatever_its_name():
    columns = {column["name"]: column for column in describe(points_table())}
    assert (columns["tokens_mean"]["low"], columns["tokens_mean"]["high"]) == ("tokens_low", "tokens_high")
    assert (columns["accuracy"]["low"], columns["kept_share"]["low"]) == ("accuracy_low", None)
    assert not [name for name in columns if name.endswith(("_low", "_high"))]


def test_a_family_of_columns_is_described_by_its_number():
    names = {
        "pass_at_2": "pass@2",
        "g_pass_at_4_tau_0.5": "G-Pass@4 at 0.5",
        "mg_pass_at_8": "mG-Pass@8",
        "tokens_to_reach_0.9": "tokens to reach 0.9",
        "tokens_to_reach_0.9_of_base": "tokens to reach 0.9 of base",
        "tokens_to_reach_0.9_of_base_reached": "0.9_of_base reached",
    }
    columns = describe(pandas.DataFrame({name: [0.5] for name in names}))
    assert {column["name"]: column["label"] for column in columns} == names
    assert columns[0]["description"] == "Probability that one of 2 responses is right."


def test_an_unknown_column_is_shown_as_its_values_are():
    table = pandas.DataFrame(
        {"some_share": [0.5, None], "some_count": [1, 2], "some_flag": [True, False], "some_text": ["a", None]}
    )
    found = [(column["label"], column["group"], column["format"]) for column in describe(table)]
    assert found == [
        ("some share", "Other", "number"),
        ("some count", "Other", "count"),
        ("some flag", "Other", "flag"),
        ("some text", "Other", "text"),
    ]


def test_columns_of_two_points_are_grouped_by_the_point_that_they_belong_to():
    columns = [(column["group"], column["label"], column["format"]) for column in describe_pairs(pairs_table())]
    point = [("recipe", "text"), ("budget", "count"), ("seed", "text"), ("iteration", "count")]
    measured = [*point, ("accuracy", "share"), ("mean tokens", "tokens")]
    assert columns == [
        ("Policy", "model", "text"),
        ("Policy", "benchmark", "text"),
        *(("First", *column) for column in measured),
        *(("Second", *column) for column in measured),
        ("Second against first", "accuracy", "points"),
        ("Second against first", "tokens", "ratio"),
    ]


def test_every_column_of_the_recipes_is_described():
    assert [column["name"] for column in describe(recipes_table()) if column["group"] == "Other"] == []


def test_labels_tell_the_columns_of_a_group_apart():
    labels = [(column.group, column.label) for column in (*KNOWN.values(), *FAMILIES.values())]
    assert len(labels) == len(set(labels))


# Tables


def test_a_table_goes_by_column_with_missing_values_as_none():
    table = pandas.DataFrame({"a": [1.0 / 3, float("nan"), float("inf")], "b": ["x", None, "z"]})
    table["c"] = pandas.array([1, None, 3], dtype="Int64")
    assert by_column(table) == {"a": [0.333333, None, None], "b": ["x", None, "z"], "c": [1, None, 3]}


def test_only_the_last_iteration_of_each_point_has_a_curve(settings):
    curves = data_of(settings)["curves"]
    assert sorted(set(zip(curves["recipe"], curves["arm"], curves["iteration"], strict=True)), key=str) == [
        ("base", None, 0),
        ("r", "12", 2),
        ("r", "24", 2),
    ]
    assert len(curves["tokens"]) == 3 * 4


def test_curves_keep_long_seeds(settings, tmp_path):
    """Though the base model, which has none, stands in the same column."""
    seeds = {12: 20240601, 24: 20240602}
    curves = curves_table().assign(seed=curves_table()["budget"].map(seeds).astype("Int64"))
    curves.to_csv(tmp_path / "curves.csv", index=False)
    tables = read_csv_table(tmp_path / "curves.csv"), training_table(), recipes_table(), pairs_table()
    assert set(page_data(settings, points_table(), *tables)["curves"]["seed"]) == {None, *seeds.values()}


def test_a_point_whose_budget_follows_a_schedule_is_one_point():
    schedules = [None, "falling", "falling", None]
    table = pandas.DataFrame({"budget": [None, 40, 20, 40], "schedule": schedules, "iteration": [0, 1, 2, 1]})
    table = table.assign(model="m", recipe=["base", "r", "r", "r"], seed=0, benchmark="b")
    armed = with_arms(table)
    assert armed["arm"].tolist() == [None, "falling", "falling", "40"]
    assert last_iterations(armed)["budget"].tolist()[1:] == [20, 40]


def test_only_the_first_pairs_of_each_benchmark_are_carried_and_all_are_counted():
    many = pairs_table().iloc[[0] * (SHOWN_PAIRS + 1)]
    carried = first_pairs(pandas.concat([many, many.head(2).assign(benchmark="products")]))
    assert carried["counts"] == {"model": ["m", "m"], "benchmark": ["sums", "products"], "pairs": [SHOWN_PAIRS + 1, 2]}
    assert carried["rows"]["benchmark"] == ["sums"] * SHOWN_PAIRS + ["products"] * 2
    assert first_pairs(many.head(0))["counts"]["pairs"] == []


# Remarks


def remarks_on(rows: pandas.DataFrame) -> list[dict[str, str]]:
    """Of a point that was measured after each iteration, which is a row."""
    return remarks(rows.iloc[-1], rows)


def test_remarks_on_a_point_that_is_off_policy_and_worse():
    table = points_table()
    found = remarks_on(table[table["budget"] == 12])
    assert [remark["kind"] for remark in found] == ["off-policy", "worse"]
    assert found[0]["text"].startswith("5 updates for each batch of rollouts")


def test_a_point_on_policy_that_lost_nothing_has_no_remarks():
    table = points_table()
    assert remarks_on(table[table["budget"] == 24].assign(updates_per_batch=1)) == []


def test_a_lag_before_the_last_iteration_is_remarked_on():
    rows = points_table().query("budget == 24").assign(updates_per_batch=1, policy_lag=[1, 0])
    assert remarks_on(rows)[0]["text"].startswith("rollouts of a policy that was up to 1 iteration old")
    # What comes after a stop trained nothing.
    stopped = rows.assign(policy_lag=[0, 1], stopped="plateau", stopped_after=1, stopped_because="no change.")
    assert [remark["kind"] for remark in remarks_on(stopped)] == ["stopped"]
    # A benchmark may be measured after the stop alone.
    assert [remark["kind"] for remark in remarks_on(stopped.tail(1))] == ["stopped"]


def test_what_happened_in_an_iteration_that_was_not_measured_is_remarked_on():
    points = with_arms(points_table().query("budget == 24 and iteration == 2"))
    training = with_arms(training_table().assign(updates_per_batch=1, copied=lambda rows: rows["iteration"] == 1))
    (found,) = all_remarks(points, training)
    assert (found["arm"], found["benchmark"]) == ("24", "sums")
    assert [remark["text"] for remark in found["remarks"]] == [
        "Nothing was kept in iteration 1: the policy is its parent."
    ]


def test_remarks_on_copied_stopped_cut_off_and_stale_policies():
    rows = points_table().query("budget == 24").assign(updates_per_batch=1)
    assert remarks_on(rows.assign(copied=[False, True]))[0]["text"].startswith("Nothing was kept in iteration 2")
    assert remarks_on(rows.assign(train_temperature=0.6))[0]["text"].startswith("rollouts at temperature 0.6")
    assert remarks_on(rows.assign(policy_lag=3))[0]["text"].startswith(
        "rollouts of a policy that was up to 3 iterations old"
    )
    cut = remarks_on(rows.assign(truncated=0.25))
    assert [remark["kind"] for remark in cut] == ["cut off"]
    assert "25.0%" in cut[0]["text"]
    stopped = rows.assign(stopped="plateau", stopped_after=1, stopped_because="no change.", copied=[False, True])
    # The copies after the stop are said by the stop.
    assert remarks_on(stopped) == [
        {"kind": "stopped", "text": "Stopped after iteration 1 by the rule plateau: no change."}
    ]


# Responses


def test_the_problems_shown_are_chosen_by_saving_and_outcome(settings):
    """Budget 24 saves 0, 5, 20, -5 and 30 tokens on the problems that both answered right; neither solved the last."""
    base, after = (read_first_responses(f"{settings['results']}/{place}") for place in places(24))
    pairs = pair(base, after)
    assert pairs["saved"].tolist() == [0, 5, 20, -5, 30, 30]
    assert outcomes(pairs) == {"both": 5, "lost": 0, "gained": 0, "neither": 1}
    assert choose(pairs) == {"largest saving": "p4", "median saving": "p1", "smallest saving": "p3"}


def test_what_was_lost_and_gained_is_shown(settings):
    pairs = pair(*(read_first_responses(f"{settings['results']}/{place}") for place in places(12)))
    assert outcomes(pairs) == {"both": 4, "lost": 1, "gained": 1, "neither": 0}
    assert choose(pairs) == {
        "largest saving": "p3",
        "median saving": "p1",
        "smallest saving": "p0",
        "lost": "p4",
        "gained": "p5",
    }


def test_a_response_without_an_answer_is_shown_without_one(settings):
    file = f"{settings['results']}/{places(12)[1]}/verdicts.parquet"
    rows = [row | ({"answer": None} if row["problem_id"] == "p4" else {}) for row in read_table(file, VERDICT)]
    write_table(file, rows, VERDICT)
    data = data_of(settings)
    lost = next(one for one in data["samples"][0]["pairs"] if one["why"] == "lost")
    assert (lost["problem"], lost["after"]["answer"]) == ("p4", None)
    as_json(data)


def places(budget: int) -> tuple[str, str]:
    return "m/base/eval/sums", f"m/r/L{budget}/seed0/iter2/eval/sums"


def test_a_pair_has_both_first_responses_whole(settings):
    sample = data_of(settings)["samples"][1]
    assert (sample["arm"], sample["benchmark"], sample["outcomes"]["both"]) == ("24", "sums", 5)
    shown = sample["pairs"][0]
    assert (shown["why"], shown["problem"], shown["question"], shown["reference"]) == (
        "largest saving",
        "p4",
        "question 4",
        "4",
    )
    assert shown["before"] == {
        "tokens": 50,
        "finished": True,
        "correct": True,
        "answer": "4",
        "reason": "correct",
        "text": "wait wait 4",
    }
    assert (shown["after"]["tokens"], shown["after"]["text"]) == (20, f"{HOSTILE} 4")


def test_rollouts_that_are_gone_leave_a_page_without_them(settings, tmp_path):
    (tmp_path / "m/r/L24/seed0/iter2/eval/sums/rollouts.parquet").unlink()
    assert [sample["arm"] for sample in data_of(settings)["samples"]] == ["12"]
    (tmp_path / "problems/test.parquet").unlink()
    assert data_of(settings)["samples"][0]["pairs"][0]["question"] == ""


def test_a_long_response_keeps_its_beginning_and_its_end():
    text = "a" * 1000 + "z" * 1000
    thinned = thin(text, 300)
    assert thinned == "a" * 200 + "\n[… 1,700 characters left out …]\n" + "z" * 100
    assert thin(text, 2000) == text


def test_the_more_responses_the_less_of_each():
    assert [text_limit(n) for n in (0, 10, 1_000, 100_000)] == [4_000, 4_000, 2_000, 600]


# Settings


def test_settings_tell_how_a_point_changes_and_name_each_rule_of_a_chain():
    block = {"model": "m", "recipe": "r", "budget": "s", "seed": 0, "iterations": 1, "benchmarks": []}
    changing = {"schedule": {"kind": "steps", "budgets": [80, 40]}, "rollouts": {"refresh_every": None}}
    assert point_settings("nowhere", {**block, "changing": changing}) == {
        "schedule.kind": "steps",
        "schedule.budgets": [80, 40],
        "rollouts.refresh_every": None,
    }
    rules = [{"rule": "reject_trivial", "options": {}}, {"rule": "shortest_k", "options": {"k": 2}}]
    assert flatten({"filter": rules}, "") == {
        "filter.1.rule": "reject_trivial",
        "filter.2.rule": "shortest_k",
        "filter.2.options.k": 2,
    }


def test_settings_are_those_that_the_sidecars_recorded(settings):
    assert point_settings(settings["results"], settings["points"][0]) == {
        "base.model.source": "models/m",
        "train.rollouts.max_tokens": 12,
        "train.rollouts.temperature": 1.0,
        "train.verifier": "integer",
        "filter.rule": "correct_within",
        "sft.lr": 0.0005,
        "sft.lora": None,
        "sums.rollouts.samples": 2,
        "sums.rollouts.temperature": 1.0,
        "sums.verifier": "integer",
        "sums.evaluate.level": 0.95,
    }


def test_what_differs_between_points_is_told_apart_from_what_is_common():
    common, own = split_common([{"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}])
    assert (common, own) == ({"a": 1}, [{"b": 2}, {"b": 3, "c": 4}])
    assert split_common([]) == ({}, [])


# What was run


def test_what_was_run_names_no_host_and_no_single_gpu(settings):
    runs = run_data(settings, nodes_table())
    assert "secret" not in json.dumps(runs)
    assert runs["with"]["torch"] == ["2.13.0"]
    assert runs["with"]["GPU"] == ["yes, not named"]
    assert runs["with"]["code of sft"] == ["c0de-sft"]


def test_every_node_has_a_bar_in_the_lane_of_its_point(settings):
    clock = run_data(settings, nodes_table())["when"]
    assert clock["lanes"] == ["m base", "m r 12 seed 0", "m r 24 seed 0"]
    assert (clock["started"], clock["ended"]) == ("2026-01-02T12:00:10+00:00", "2026-01-02T12:01:33+00:00")
    assert len(clock["bars"]) == 3 + 2 * 2 * 7
    assert [0, "generate eval", 80.0, 81.0] in clock["bars"]
    assert [1, "sft", 3.0, 4.0] in clock["bars"]
    assert clock["bars"] == sorted(clock["bars"], key=lambda bar: bar[2])


def test_a_sweep_without_sidecars_has_no_clock():
    assert when([]) == {"started": None, "ended": None, "lanes": [], "bars": []}
    assert with_what([]) == {}


def test_tokens_per_second_are_of_all_work_and_count_shards_apart():
    whole = {"phases": {"sample": 1.0}, "tokens_per_second": 100.0}
    shard = {"phases": {"sample": 3.0}, "tokens_per_second": 20.0}
    gathered = {"phases": {}, "tokens_per_second": 40.0, "shard_runs": [shard, shard]}
    rows = [{"node": "generate train", "run": run} for run in (whole, gathered)]
    # (1 * 100 + 3 * 20 + 3 * 20) tokens in 7 s.
    found = rates(rows, [{"node": "generate train"}, {"node": "filter"}])
    assert found[0]["tokens_per_second"] == pytest.approx(220 / 7)
    assert found[1]["tokens_per_second"] is None


# The file


def test_the_page_carries_its_data_and_nothing_in_it_ends_a_script(settings):
    data, runs = data_of(settings), run_data(settings, nodes_table())
    html = build(data, runs)
    blocks = re.findall(r"<script[^>]*>(.*?)</script>", html, re.DOTALL)
    assert len(blocks) == 3
    assert json.loads(blocks[0]) == data
    assert json.loads(blocks[1]) == runs
    assert "<img" not in html
    assert "\u2028" not in html


def test_json_in_a_script_survives_whatever_text_there_is():
    text = {"a": "</ScRiPt><!--\u2028\u2029&\u0000 ü $policy"}
    assert json.loads(as_json(text)) == text
    assert "<" not in as_json(text)


def test_the_page_lets_the_browser_run_its_own_script_only_and_fetch_nothing(settings):
    html = build(data_of(settings), run_data(settings, nodes_table()))
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html).group(1)
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL).group(1)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', html)


def test_the_same_results_give_the_same_page_but_for_what_was_run(settings, tmp_path):
    pages = [build(data_of(settings), run_data(settings, nodes_table()))]
    for file in tmp_path.rglob("*.run.json"):
        recorded = read_json(file)
        recorded["run"] |= {
            "seconds": 9.0,
            "started": "2027-05-05T01:00:00+00:00",
            "ended": "2027-05-05T01:00:09+00:00",
        }
        write_json(file, recorded)
    pages.append(build(data_of(settings), run_data(settings, nodes_table())))
    assert pages[0] != pages[1]
    rest = [re.sub(r'<script id="run-data".*?</script>', "", page, flags=re.DOTALL) for page in pages]
    assert rest[0] == rest[1]


def test_the_template_counts_as_code_of_the_page(monkeypatch, tmp_path):
    before = assets_hash()
    for file in ("page.html", "page.js"):
        (tmp_path / file).write_text("something else")
    monkeypatch.setattr("opsft_flow.page.build.ASSETS", tmp_path)
    assert assets_hash() != before
