"""The sft node: alone and as one of two, with an adapter, and with other optimisers."""

import copy
import importlib.util
import json
import re

import pytest
import torch
from safetensors.torch import load_file
from transformers import Gemma3Config, Gemma3TextConfig, GPT2Config, OPTConfig

from opsft.dropout import without_dropout
from opsft.engines._checkpoint import check_same_architecture
from opsft.lora import merged
from opsft.pretrained import read_config
from tests.rounding import assert_close_in_norm, gamma, of_an_update, per_token
from tests.unit.sft_node import make_point, run_sft

LORA = {"rank": 4, "alpha": 8.0, "targets": ["q_proj", "down_proj"]}


def needs(package: str):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"{package} is not installed")


@pytest.fixture
def point(tmp_path, tiny_model):
    return make_point(tmp_path, tiny_model)


def weights_of(point, iteration: int) -> dict[str, torch.Tensor]:
    return load_file(point / f"iter{iteration}/policy/model.safetensors")


def flat(tensors: dict[str, torch.Tensor]) -> torch.Tensor:
    return torch.cat([tensors[name].flatten() for name in sorted(tensors)])


def test_two_processes_train_what_one_trains_and_only_the_first_writes(tmp_path, tiny_model):
    alone, together = (make_point(tmp_path / name, tiny_model) for name in ("alone", "together"))
    chosen = {"updates": 2, "microbatch_tokens": 60, "device": "cpu"}
    expected = run_sft(alone, 1, **chosen)
    found = run_sft(together, 1, processes=2, **chosen)
    # test_processes.py compares to more digits: what is trained there is in float64.
    assert found["metrics"] == pytest.approx(expected["metrics"], rel=of_an_update())
    assert found["probe"]["logprob"] == pytest.approx(expected["probe"]["logprob"], abs=of_an_update())
    before = flat(load_file(alone / "model/model.safetensors"))
    assert_close_in_norm(*(flat(weights_of(point, 1)) - before for point in (together, alone)), of_an_update())
    moments = [load_file(point / "iter1/trainer/optimizer.safetensors") for point in (together, alone)]
    assert_close_in_norm(*map(flat, moments), of_an_update())
    written = sorted(path.name for path in (together / "iter1").iterdir())
    assert written == sorted(path.name for path in (alone / "iter1").iterdir())
    assert json.loads((together / "iter1/policy.run.json").read_text())["run"]["processes"] == 2


def test_the_probe_is_the_largest_log_probability_after_the_first_kept_prompt(point):
    from transformers import AutoModelForCausalLM

    probe = run_sft(point, 1)["probe"]
    model = AutoModelForCausalLM.from_pretrained(point / "iter1/policy", dtype=torch.float32)
    with torch.no_grad():
        log_probs = model(torch.tensor([probe["prompt_ids"]])).logits[0, -1].log_softmax(-1)
    assert len(probe["prompt_ids"]) == 5
    assert probe["logprob"] == pytest.approx(log_probs.max().item(), abs=per_token())


def test_dropout_of_the_model_is_off_in_training(tmp_path, tiny_model):
    plain = make_point(tmp_path / "plain", tiny_model)
    tiny_model.config.attention_dropout = 0.5
    dropping = make_point(tmp_path / "dropping", tiny_model)
    assert json.loads((dropping / "model/config.json").read_text())["attention_dropout"] == 0.5
    for point in (plain, dropping):
        run_sft(point, 1, updates=2)
    assert torch.equal(flat(weights_of(dropping, 1)), flat(weights_of(plain, 1)))
    configs = [read_config(str(dropping / folder), False) for folder in ("model", "iter1/policy")]
    assert configs[1].attention_dropout == 0.5
    check_same_architecture(*configs, "iter1")


def rates_of_dropout(config) -> list[str]:
    """Of the configuration and its parts."""
    return re.findall(r'drop[a-z_]*": ([0-9.]+)', config.to_json_string())


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(n_layer=1),
        OPTConfig(num_hidden_layers=1, layerdrop=0.1),
        Gemma3Config(text_config=Gemma3TextConfig(num_hidden_layers=1, attention_dropout=0.5)),
    ],
)
def test_dropout_has_other_names_and_places_in_other_models(config):
    before, after = map(rates_of_dropout, (copy.deepcopy(config), without_dropout(config)))
    assert any(map(float, before))
    assert len(after) == len(before)
    assert not any(map(float, after))


@pytest.mark.parametrize("parents", [None, '{"eos_token_id": [2, 7]}'])
def test_a_policy_stops_on_the_tokens_of_its_parent(parents, point):
    of_base = point / "model/generation_config.json"
    of_base.write_text(parents) if parents else of_base.unlink()
    run_sft(point, 1)
    run_sft(point, 2)
    for iteration in (1, 2):
        file = point / f"iter{iteration}/policy/generation_config.json"
        assert (file.read_text() if file.exists() else None) == parents


def test_the_sidecar_tells_the_phases_apart(point):
    run_sft(point, 1)
    run = json.loads((point / "iter1/policy.run.json").read_text())["run"]
    assert {"imports", "load", "train", "write", "write optimizer", "hash"} <= run["phases"].keys()
    assert run["tokens_per_second"] > 0


@needs("peft")
def test_an_adapter_is_carried_over_the_base_model_and_each_policy_is_their_sum(point):
    before = load_file(point / "model/model.safetensors")
    first = run_sft(point, 1, lora=LORA)
    run_sft(point, 2, lora=LORA)
    adapters = [load_file(point / f"iter{i}/trainer/adapter.safetensors") for i in (1, 2)]
    assert adapters[0].keys() == adapters[1].keys()
    assert first["optimizer"]["files"].keys() == {"adapter.safetensors", "optimizer.safetensors"}
    for i, adapter in enumerate(adapters, start=1):
        policy = weights_of(point, i)
        assert policy.keys() == before.keys()
        changed = {name for name in before if not torch.equal(policy[name], before[name])}
        assert changed == {f"{name.partition('.lora_')[0]}.weight" for name in adapter}
        assert {name.split(".")[-2] for name in changed} == set(LORA["targets"])
        for name in changed:
            stem = name.removesuffix(".weight")
            a, b = (adapter[f"{stem}.lora_{factor}.default.weight"] for factor in "AB")
            assert_close_in_norm(policy[name], before[name] + 2.0 * b @ a, gamma(2 + LORA["rank"]))
    moments = load_file(point / "iter2/trainer/optimizer.safetensors")
    assert {name.rpartition(".")[0] for name in moments} == {"", *adapters[0]}
    assert moments["step"].item() == 2.0


@needs("peft")
def test_two_iterations_of_an_adapter_give_the_same_bytes_again(tmp_path, tiny_model):
    points = [make_point(tmp_path / name, tiny_model) for name in "ab"]
    for point in points:
        for iteration in (1, 2):
            run_sft(point, iteration, lora=LORA, gradient_checkpointing=True, optimizer_state="reset")
    for file in ("policy/model.safetensors", "trainer/adapter.safetensors", "trainer/optimizer.safetensors"):
        first, second = ((point / "iter2" / file).read_bytes() for point in points)
        assert first == second


def test_an_adapter_without_peft_is_refused_before_anything_is_loaded(point, monkeypatch):
    from opsft import eight_bit, lora

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"sft\.lora is set, which needs peft; .*pip install 'opsft\[lora\]'"):
        lora.check_installed()
    with pytest.raises(ValueError, match=r"adamw_8bit, which needs torchao; .*pip install 'opsft\[8bit\]'"):
        eight_bit.check_installed()


@needs("peft")
def test_a_target_that_is_no_linear_layer_is_refused(tiny_model):
    from opsft.lora import add_adapter

    for target, found in (("no_proj", "no module"), ("embed_tokens", "Embedding"), ("lm_head", "Linear")):
        with pytest.raises(ValueError, match=rf"sft\.lora\.targets: '{target}' is {found} in Qwen2ForCausalLM"):
            add_adapter(tiny_model, 4, 8.0, ["q_proj", target], seed=0)


def test_a_misspelt_target_and_a_rank_above_that_of_every_target_are_refused(tiny_model):
    from opsft.lora import check_adapter

    # q_proj is 64 by 64, k_proj 32 by 64.
    check_adapter(tiny_model, 64, ["q_proj", "k_proj"])
    with pytest.raises(
        ValueError, match=r"'q_prj' is no module in .*; did you mean 'q_proj'\?; allowed: .*down_proj, gate_proj"
    ):
        check_adapter(tiny_model, 4, ["q_prj"])
    with pytest.raises(ValueError, match=r"sft\.lora\.rank 33 is above the rank of every target; allowed: 32 at most"):
        check_adapter(tiny_model, 33, ["k_proj"])


def test_merging_adds_the_scaled_product_to_the_base_layer_alone():
    eye = torch.eye(2)
    state = {
        "x.base_layer.weight": eye,
        "x.base_layer.bias": torch.ones(2),
        "x.lora_A.default.weight": torch.tensor([[1.0, 2.0]]),
        "x.lora_B.default.weight": torch.tensor([[3.0], [0.0]]),
        "y.weight": eye,
    }
    plain = merged(state, scale=0.5)
    assert plain.keys() == {"x.weight", "x.bias", "y.weight"}
    assert plain["x.weight"].tolist() == [[2.5, 3.0], [0.0, 1.0]]
    assert plain["y.weight"] is eye
