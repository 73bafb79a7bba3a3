"""The rerun matrix: after a change, exactly the jobs that must run, run.

The finished sweep has 2 points of 2 iterations and 1 benchmark:

    rule       base  point, iteration 1  point, iteration 2   all
    generate      1   2 (train, sums)     2                     9
    verify        1   2                   2                     9
    filter            1                   1                     4
    sft               1                   1                     4
    evaluate      1   1                   1                     5
    track                                 1                     2
"""

import json
import os
import shutil
import sys

import pandas
import yaml

from tests.workflow.conftest import Checkout, copy_workflow

SUMMARY = {"summary": 1, "compare": 1, "timings": 1, "figures": 1, "page": 1}
TRACK = {"track": 2}
# From filter or sft on: train iteration 2 is sampled again, and each policy is measured again.
AFTER_FILTER = {"sft": 4, "generate": 6, "verify": 6, "evaluate": 4, **TRACK, **SUMMARY}


def test_nothing_runs_again_when_nothing_has_changed(checkout):
    assert checkout.would_run() == {}


def test_an_evaluate_key_runs_the_estimators_only(checkout):
    checkout.change(evaluate={"resamples": 600})
    assert checkout.would_run() == {"evaluate": 5, **TRACK, **SUMMARY}


def test_a_benchmark_that_is_measured_less_often_runs_the_tables_only(checkout):
    checkout.change(benchmarks={"sums": {"every": 2}})
    assert checkout.would_run() == {**TRACK, **SUMMARY}


def test_an_sft_key_runs_training_and_what_follows(checkout):
    checkout.change(recipes={"opsft": {"sft": {"lr": 3.0e-4}}})
    assert checkout.would_run() == {**AFTER_FILTER, "filter": 2}


def test_a_filter_key_runs_the_filter_and_what_follows(checkout):
    checkout.change(recipes={"opsft": {"filter": {"rule": "shortest_k"}}})
    assert checkout.would_run() == {**AFTER_FILTER, "filter": 4}


def test_a_verify_key_samples_nothing_of_the_base_model_and_of_iteration_1(checkout):
    checkout.change(verify={"timeout_s": 7})
    assert checkout.would_run() == {**AFTER_FILTER, "verify": 9, "filter": 4, "evaluate": 5}


def test_a_node_that_failed_runs_again_though_what_was_made_of_its_older_result_is_there(checkout):
    checkout.change(verify={"timeout_s": 7})
    everything = checkout.would_run()
    rollouts = checkout.folder / "results/toy/opsft/L40/seed0/iter1/train/rollouts.parquet"
    whole, made = rollouts.read_bytes(), rollouts.stat()
    rollouts.write_bytes(b"no table")
    os.utime(rollouts, ns=(made.st_atime_ns, made.st_mtime_ns))
    verdicts = rollouts.with_name("verdicts.parquet")
    assert checkout.run("--cores", "1", str(verdicts.relative_to(checkout.folder)), check=False).returncode
    assert not verdicts.exists()
    rollouts.write_bytes(whole)
    os.utime(rollouts, ns=(made.st_atime_ns, made.st_mtime_ns))
    assert checkout.would_run() == everything


def test_a_deleted_result_runs_its_node_and_what_follows(checkout):
    last = checkout.folder / "results/toy/opsft/L80/seed0/iter2"
    (last / "eval/sums/metrics.json").unlink()
    assert checkout.would_run() == {"evaluate": 1, "track": 1, **SUMMARY}
    (last / "policy.json").unlink()
    assert checkout.would_run() == {"sft": 1, "generate": 1, "verify": 1, "evaluate": 1, "track": 1, **SUMMARY}


def test_a_budget_added_runs_its_own_chain(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(sweep=[{**block, "budgets": [40, 80, 60]}])
    chain = {"generate": 4, "verify": 4, "filter": 2, "sft": 2, "evaluate": 2, "track": 1}
    assert checkout.would_run() == {**chain, **SUMMARY}


def test_a_schedule_added_runs_its_own_chain(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(
        schedules={"tighten": {"kind": "quantile", "start": 80}}, sweep=[{**block, "budgets": [40, 80, "tighten"]}]
    )
    chain = {"generate": 4, "verify": 4, "filter": 2, "sft": 2, "evaluate": 2, "track": 1}
    assert checkout.would_run() == {**chain, **SUMMARY}


def test_rollouts_of_the_base_model_sample_nothing_of_iteration_1_again(checkout):
    checkout.change(recipes={"opsft": {"rollouts": {"refresh_every": None}}})
    chain = {"generate": 4, "verify": 4, "filter": 2, "sft": 2, "evaluate": 2}
    assert checkout.would_run() == {**chain, **TRACK, **SUMMARY}


def test_tables_of_another_name_are_made_beside_those_that_are_there(checkout):
    checkout.change(summary={"name": "again"})
    assert checkout.would_run() == SUMMARY


def test_another_depth_of_the_cut_compares_again(checkout):
    checkout.change(summary={"cuts": [0.3]})
    assert checkout.would_run() == {"compare": 1, "page": 1}


def test_a_budget_dropped_runs_the_summary_only(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(sweep=[{**block, "budgets": [40]}])
    assert checkout.would_run() == SUMMARY


def test_a_recipe_added_runs_its_own_chain(checkout):
    config = yaml.safe_load(checkout.overlay.read_text())
    other = {**yaml.safe_load((checkout.folder / "config.yaml").read_text())["recipes"]["opsft"], "iterations": 2}
    block = {**config["sweep"][0], "recipes": ["other"], "budgets": [40]}
    other["rollouts"] = {"prompts": 16, "samples": 4}
    checkout.change(recipes={"other": other}, sweep=[*config["sweep"], block])
    chain = {"generate": 4, "verify": 4, "filter": 2, "sft": 2, "evaluate": 2, "track": 1}
    assert checkout.would_run() == {**chain, **SUMMARY}


def test_a_renamed_recipe_runs_its_chains_anew_and_keeps_the_old_results(checkout):
    config = yaml.safe_load(checkout.overlay.read_text())
    default = yaml.safe_load((checkout.folder / "config.yaml").read_text())["recipes"]["opsft"]
    renamed = {**default, **config["recipes"]["opsft"], "sft": {**default["sft"], **config["recipes"]["opsft"]["sft"]}}
    checkout.change(recipes={"renamed": renamed}, sweep=[{**config["sweep"][0], "recipes": ["renamed"]}])
    chains = {"generate": 8, "verify": 8, "filter": 4, "sft": 4, "evaluate": 4}
    assert checkout.would_run() == {**chains, **TRACK, **SUMMARY}
    assert (checkout.folder / "results/toy/opsft/L80/seed0/iter2/policy.json").exists()


def test_a_model_added_runs_its_own_chain_and_its_base_evaluation(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(
        models={"other": {"source": "models/toy-reasoner"}},
        sweep=[block, {**block, "models": ["other"], "budgets": [40]}],
    )
    chain = {"base": 1, "generate": 5, "verify": 5, "filter": 2, "sft": 2, "evaluate": 3, "track": 1}
    assert checkout.would_run() == {**chain, **SUMMARY}


def test_a_benchmark_added_measures_every_policy_on_it_and_trains_none(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(
        benchmarks={"short": {"problems": "sums-test", "samples": 2, "max_tokens": 60}},
        sweep=[{**block, "benchmarks": ["sums", "short"]}],
    )
    measured = {"generate": 5, "verify": 5, "evaluate": 5}
    assert checkout.would_run() == {**measured, **TRACK, **SUMMARY}


def test_what_is_taken_out_stays_on_disk_and_comes_back_without_being_made_again(checkout):
    whole = checkout.overlay.read_text()
    block = yaml.safe_load(whole)["sweep"][0]
    summary = checkout.folder / "results/summary"
    rollouts = checkout.folder / "results/toy/opsft/L80/seed0/iter2/train/rollouts.parquet"
    made = rollouts.stat().st_mtime_ns

    checkout.change(recipes={"opsft": {"iterations": 1}}, sweep=[{**block, "budgets": [40]}])
    assert checkout.would_run() == {"track": 1, **SUMMARY}
    checkout.run("--cores", "2")
    points = pandas.read_csv(summary / "points.csv")
    assert (points["budget"].dropna().unique().tolist(), points["iteration"].max()) == ([40], 1)
    assert set(pandas.read_csv(summary / "timings.csv")["budget"].dropna()) == {40}
    shown = json.loads((summary / "report.run.json").read_text())["settings"]["points"]
    assert [(point["budget"], point["iterations"]) for point in shown] == [(40, 1)]
    assert rollouts.stat().st_mtime_ns == made
    assert checkout.would_run() == {}

    checkout.overlay.write_text(whole)
    # The offline run of the point has been written anew with one iteration.
    assert checkout.would_run() == {"track": 1, **SUMMARY}


def test_a_rollouts_key_samples_again_and_runs_what_follows(checkout):
    checkout.change(recipes={"opsft": {"rollouts": {"prompts": 20}}})
    assert checkout.would_run() == {**AFTER_FILTER, "generate": 8, "verify": 8, "filter": 4}


def test_an_engine_key_samples_everything_again(checkout):
    checkout.change(engine={"context": 300})
    assert checkout.would_run() == {**AFTER_FILTER, "generate": 9, "verify": 9, "filter": 4, "evaluate": 5}


def test_another_verifier_samples_nothing_of_the_base_model_again(checkout):
    checkout.change(problems={"sums-test": {"verifier": "exact"}})
    assert checkout.would_run() == {"verify": 5, "evaluate": 5, **TRACK, **SUMMARY}


def test_keys_that_change_no_result_run_nothing(checkout):
    checkout.change(recipes={"opsft": {"sft": {"give_up_after": 10, "checkpoint_every": 7}}}, keep={"every": 2})
    assert checkout.would_run() == {}


def test_more_gpus_start_more_processes_and_are_no_reason_to_train_again(checkout):
    alone = checkout.run("--dry-run", "--printshellcmds", "--forcerun", "sft").stdout
    assert alone.count("opsft_flow.machine.launch") == alone.count("-P -m ") > 4
    assert alone.count("scripts/sft.py --gpus 0 ") == 4
    assert "torch.distributed.run" not in alone
    checkout.change(resources={"sft": {"gpu": 2}})
    assert checkout.would_run() == {}
    together = checkout.run("--dry-run", "--printshellcmds", "--forcerun", "sft").stdout
    started = (
        "-m opsft_flow.machine.with_gpus 2 {python} -P -m torch.distributed.run --standalone --nproc-per-node 2 -- "
    )
    assert together.count(started.format(python=sys.executable)) == 4


def test_a_seed_added_runs_its_own_chains(checkout):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(sweep=[{**block, "seeds": [0, 1]}])
    chains = {"generate": 8, "verify": 8, "filter": 4, "sft": 4, "evaluate": 4, "track": 2}
    assert checkout.would_run() == {**chains, **SUMMARY}


def test_stop_rules_that_would_not_have_held_train_nothing_again(checkout):
    checkout.change(recipes={"opsft": {"stop": {"accuracy_below_base": {"benchmark": "sums", "patience": 2}}}})
    assert checkout.would_run() == {"track": 2, "timings": 1, "page": 1}


def test_an_iteration_added_runs_that_iteration_of_every_point(checkout):
    checkout.change(recipes={"opsft": {"iterations": 3}})
    iteration = {"generate": 4, "verify": 4, "filter": 2, "sft": 2, "evaluate": 2}
    assert checkout.would_run() == {**iteration, **TRACK, **SUMMARY}


def test_a_comment_a_docstring_and_layout_in_the_library_run_nothing(checkout):
    checkout.edit("opsft/selection/correct_within.py", "import numpy as np\n", "# A comment.\nimport numpy as np\n\n")
    checkout.edit("opsft/selection/correct_within.py", "`correct_within`: right", "Another docstring: right")
    checkout.edit("opsft/sft.py", "Fine-tune a policy on", "Train a policy on")
    checkout.edit("opsft/engines/__init__.py", '"""Called with (completions done', '"""Told of (completions done')
    assert checkout.would_run() == {}


def test_behaviour_in_the_library_runs_the_nodes_that_use_it(checkout):
    checkout.edit("opsft/selection/correct_within.py", "within(budget)", "within(budget - 1)")
    assert checkout.would_run() == {**AFTER_FILTER, "filter": 4}


def test_behaviour_that_no_node_of_the_sweep_uses_runs_nothing(checkout):
    checkout.edit("opsft/selection/shortest_k.py", 'options["k"]', 'options["k"] + 1')
    assert checkout.would_run() == {}


def test_keys_in_another_order_run_nothing(checkout):
    def reverse(value):
        return {key: reverse(value[key]) for key in reversed(value)} if isinstance(value, dict) else value

    for file in (checkout.overlay, checkout.folder / "config.yaml"):
        file.write_text(yaml.safe_dump(reverse(yaml.safe_load(file.read_text())), sort_keys=False))
    assert checkout.would_run() == {}


def test_a_resource_runs_nothing(checkout):
    checkout.change(resources={"generate": {"mem_mb": 8000, "runtime": 7, "shards": 2}})
    assert checkout.would_run() == {}


def test_touched_code_runs_nothing(checkout):
    for file in [*checkout.folder.glob("workflow/scripts/*.py"), *checkout.folder.rglob("opsft/**/*.py")]:
        file.touch()
    assert checkout.would_run() == {}


def test_a_fresh_clone_with_old_results_runs_nothing(finished, tmp_path):
    clone = Checkout(tmp_path / "clone")
    clone.folder.mkdir()
    shutil.copytree(finished.folder / "results", clone.folder / "results", symlinks=True)
    copy_workflow(clone.folder)
    assert clone.would_run() == {}
    shutil.copytree(finished.folder / ".snakemake", clone.folder / ".snakemake", dirs_exist_ok=True)
    assert clone.would_run() == {}


def test_other_weights_of_the_base_model_run_everything(checkout):
    weights = checkout.folder / "models" / "toy-reasoner" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    counts = checkout.would_run()
    assert counts["base"] == 1
    assert (counts["generate"], counts["sft"], counts["evaluate"]) == (9, 4, 5)
