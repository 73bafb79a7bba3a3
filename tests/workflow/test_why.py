"""`snakemake why`: the jobs that would run, each with its reason, and what the sweep no longer names."""

import re
from collections import Counter

import yaml

from tests.workflow.conftest import Checkout

FOLLOWS = re.compile("input .* is made anew|is needed again")


def why(checkout: Checkout) -> tuple[list[tuple[str, str, str]], list[str]]:
    """(rule, place, reason) of every job, and the lines after them."""
    checkout.run("--cores", "1", "--nolock", "why")
    lines = (checkout.folder / "results/logs/why.log").read_text().splitlines()
    end = next(i for i, line in enumerate(lines) if re.match(r"Nothing would run|[\d,]+ jobs: ", line))
    return [tuple(re.split(" {2,}", line)) for line in lines[:end]], lines[end:]


def causes(checkout: Checkout) -> tuple[dict[tuple[str, str], str], list[str]]:
    """The reasons of the jobs that would run for their own sake, and the lines after all; the jobs are those of a dry run."""
    jobs, end = why(checkout)
    assert Counter(rule for rule, _, _ in jobs) == checkout.would_run()
    return {(rule, at): reason for rule, at, reason in jobs if not FOLLOWS.match(reason)}, end


def test_nothing_is_to_be_done_beside_a_sweep_that_holds_the_lock_and_nothing_is_changed(checkout):
    lock = checkout.folder / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("results/toy/opsft/L40/seed0/iter1/policy.json\n")
    results = {file: file.stat().st_mtime_ns for file in checkout.folder.glob("results/**/*.*")}
    jobs, end = why(checkout)
    assert (jobs, end) == ([], ["Nothing would run: every result is there, made as the configuration says."])
    after = {file: file.stat().st_mtime_ns for file in checkout.folder.glob("results/**/*.*")}
    assert {file.name for file in after if results.get(file) != after[file]} == {"why.log"}
    assert lock.exists()


def test_changed_keys_and_a_budget_more_and_one_less_are_told_as_they_are(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(
        recipes={"opsft": {"sft": {"lr": 1.0e-3}}}, evaluate={"resamples": 600}, sweep=[{**block, "budgets": [40, 60]}]
    )
    told, end = causes(checkout)
    new = [(rule, at) for (rule, at), reason in told.items() if reason == "has not been made yet"]
    assert len(new) == 15
    assert all(at.startswith("toy/opsft/L60/seed0/") for _, at in new)
    point, lr, resamples = "toy/opsft/L40/seed0", "sft.lr: 0.0005 -> 0.001", "evaluate.resamples: 500 -> 600"
    points = "added: toy/opsft/L60/seed0; dropped: toy/opsft/L80/seed0"
    assert {key: reason for key, reason in told.items() if key not in new} == {
        ("sft", f"{point}/iter1"): lr,
        ("sft", f"{point}/iter2"): lr,
        ("evaluate", "toy/base/eval/sums"): resamples,
        ("evaluate", f"{point}/iter1/eval/sums"): resamples,
        ("evaluate", f"{point}/iter2/eval/sums"): resamples,
        ("track", f"{point}/iter2"): f"{resamples}; {lr}",
        ("compare", "summary"): f"{resamples}; {points}",
        ("summary", "summary"): points,
        ("timings", "summary"): points,
        ("page", "summary"): points,
    }
    assert end[-1] == "toy/opsft/L80/seed0  on disk, not in the sweep: iterations 1, 2"


def test_a_benchmark_that_is_added_is_told_with_what_is_to_be_measured(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(benchmarks={"more": {"problems": "sums-test", "samples": 2, "max_tokens": 190}})
    checkout.change(sweep=[{**block, "benchmarks": ["sums", "more"]}])
    told, _ = causes(checkout)
    assert told["generate", "toy/base/eval/more"] == "has not been made yet"
    assert told["track", "toy/opsft/L40/seed0/iter2"].startswith(
        'benchmarks: ["sums"] -> ["sums", "more"]; benchmarks.more.'
    )


def test_changed_code_and_changed_bytes_of_an_input_are_named(checkout):
    checkout.edit("opsft/selection/correct_within.py", "within(budget)", "within(budget - 1)")
    (checkout.folder / "results/problems/sums-test.parquet").write_bytes(b"other")
    (checkout.folder / "results/toy/opsft/L80/seed0/iter2/policy.json").unlink()
    point, code = "toy/opsft/L{}/seed0/iter{}", "code: opsft.selection.correct_within changed"
    filters = {("filter", point.format(budget, i) + "/train"): code for budget in (40, 80) for i in (1, 2)}
    tracks = {("track", point.format(budget, 2)): code for budget in (40, 80)}
    base = {("generate", "toy/base/eval/sums"): "input sums-test.parquet has changed"}
    gone = {("sft", point.format(80, 2)): "policy.json is missing"}
    assert causes(checkout)[0] == {**filters, **tracks, **base, **gone}
