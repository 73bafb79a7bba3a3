"""Problem sets that are kept apart from benchmarks."""

import json
import shutil

import pandas


def test_overlap_is_that_of_the_configuration_that_runs(checkout):
    """It is looked for once for each configuration, and one may come back."""
    problems, sampled = checkout.folder / "results/problems", "results/toy/base/eval/sums/rollouts.parquet"
    shared = pandas.read_parquet(problems / "sums-test.parquet")["question"].iloc[5]
    rows = [{"question": shared, "answer": 0}, {"question": "1 + 1 + 1", "answer": 3}]
    (checkout.folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    checkout.change(recipes={"opsft": {"rollouts": {"prompts": 1}}})

    def overlaps(remove_overlap: list[str]) -> int:
        mine = {"source": "mine.jsonl", "limit": None, "remove_overlap": remove_overlap}
        checkout.change(problems={"sums-train": mine})
        (checkout.folder / sampled).unlink()
        checkout.run("--cores", "2", sampled)
        return len(pandas.read_csv(problems / "overlap.csv"))

    assert [overlaps([]), overlaps(["sums-test"]), overlaps([])] == [1, 0, 1]


def test_a_training_set_is_prepared_after_the_benchmark_that_it_is_kept_apart_from(checkout):
    folder = checkout.folder / "results/problems"
    question = pandas.read_parquet(folder / "sums-test.parquet")["question"].iloc[5]
    rows = [{"question": "1 + 1 + 1", "answer": 3}, {"question": question.replace(" ", ""), "answer": 0}]
    (checkout.folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    shutil.rmtree(folder)
    checkout.change(problems={"sums-train": {"source": "mine.jsonl", "limit": None, "remove_overlap": ["sums-test"]}})
    checkout.run("--cores", "2", "results/problems/sums-train.parquet")
    assert pandas.read_parquet(folder / "sums-train.parquet")["problem_id"].tolist() == ["0"]
    checks = json.loads((folder / "sums-train.checks.json").read_text())
    assert checks["left_out"] == {"filter": 0, "no answer": 0, "overlap with sums-test": 1}
    assert checks["examples"] == {"overlap with sums-test": ["1"]}
    assert checkout.would_run("results/problems/sums-train.parquet") == {}
    checkout.change(problems={"sums-test": {"limit": 23}})
    assert checkout.would_run("results/problems/sums-train.parquet") == {"problems": 2}
