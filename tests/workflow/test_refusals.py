"""What cannot run is refused in one message, before anything is sampled."""

import importlib.util
import shutil

import pandas
import pytest
import yaml


def refusal(checkout) -> str:
    """The message of a dry run that must fail."""
    done = checkout.run("--dry-run", check=False)
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    return output


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        ({"recipes": {"opsft": {"sft": {"learning_rate": 1}}}}, "recipes.opsft.sft.learning_rate: unknown key"),
        ({"engine": {"context": 60}}, "80 tokens and a prompt do not fit the context of model 'toy'"),
        ({"evaluate": {"pass_k": [3]}}, "3 is more than the samples of benchmark 'sums' (2)"),
        ({"models": {"toy": {"source": "./nowhere"}}}, "models.toy.source: './nowhere' does not exist"),
        (
            {"problems": {"sums-test": {"source": "./nowhere.parquet"}}},
            "problems.sums-test.source: './nowhere.parquet'",
        ),
    ],
)
def test_a_bad_configuration_is_refused_when_it_is_read(checkout, blocks, message):
    checkout.change(**blocks)
    assert message in refusal(checkout)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": []}, "sweep.0.seeds: is empty"),
        ({"budgets": [40, 40]}, "point toy/opsft/L40/seed0 occurs twice"),
        ({"recipes": ["nobody"]}, "'nobody' is not among recipes: opsft"),
    ],
)
def test_a_bad_sweep_is_refused_when_it_is_read(checkout, changes, message):
    block = yaml.safe_load(checkout.overlay.read_text())["sweep"][0]
    checkout.change(sweep=[{**block, **changes}])
    assert message in refusal(checkout)


def test_a_missing_column_is_refused_before_anything_is_sampled(checkout):
    shutil.rmtree(checkout.folder / "results")
    frame = pandas.DataFrame({"task": ["1 + 1"] * 30, "answer": ["2"] * 30})
    frame.to_parquet(checkout.folder / "bad.parquet")
    checkout.change(problems={"sums-test": {"source": "bad.parquet"}})
    done = checkout.run("--cores", "2", check=False)
    assert done.returncode != 0
    assert "no column for columns.question ('question'); the columns are task, answer" in done.stdout + done.stderr
    assert not list(checkout.folder.rglob("rollouts.parquet"))


def test_a_model_that_is_not_to_be_had_is_named_before_anything_is_sampled(checkout, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    shutil.rmtree(checkout.folder / "results")
    checkout.change(models={"toy": {"source": "nobody/nothing"}})
    done = checkout.run("--cores", "2", check=False)
    assert done.returncode != 0
    message = "model 'nobody/nothing' is no local folder here, and cannot be had from the Hub"
    assert message in done.stdout + done.stderr
    assert not list(checkout.folder.rglob("rollouts.parquet"))


@pytest.mark.parametrize(
    "target", ["toy/base/eval/nope/metrics.json", "toy/opsft/L41/seed0/iter1/policy.json", "problems/nope.parquet"]
)
def test_a_target_that_is_not_in_the_sweep_is_refused(checkout, target):
    done = checkout.run("--dry-run", f"results/{target}", check=False)
    assert done.returncode != 0
    output = done.stdout + done.stderr
    assert "Traceback" not in output
    assert f"No rule to produce results/{target}" in output


@pytest.mark.skipif(importlib.util.find_spec("vllm") is not None, reason="vLLM is installed")
def test_an_engine_that_is_not_installed_is_named_before_anything_is_sampled(checkout):
    shutil.rmtree(checkout.folder / "results")
    checkout.change(engine={"name": "vllm"})
    done = checkout.run("--cores", "2", check=False)
    assert done.returncode != 0
    assert (
        "nothing was sampled: the engine of model toy is vllm, which needs vllm; install it"
        in done.stdout + done.stderr
    )
    assert not list(checkout.folder.rglob("rollouts.parquet"))
