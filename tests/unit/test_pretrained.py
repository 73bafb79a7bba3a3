"""A checkpoint that does not hold the model of its config.json is refused with names, from its headers and when it is loaded."""

import json
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, GPT2Config, LlamaConfig, MixtralConfig, Qwen2Config

from opsft.pretrained import check_weights, load_model, positions, read_config

SHAPE = {
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 64,
}
KINDS = {
    "tied": Qwen2Config(**SHAPE, tie_word_embeddings=True),
    "untied": Qwen2Config(**SHAPE, tie_word_embeddings=False),
    "llama": LlamaConfig(**SHAPE, tie_word_embeddings=False),
    "gpt2": GPT2Config(vocab_size=32, n_embd=16, n_layer=2, n_head=2, n_positions=64),
    # Its experts are stored one by one, and fused when they are loaded.
    "experts": MixtralConfig(**SHAPE, num_local_experts=2, num_experts_per_tok=1, tie_word_embeddings=False),
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a checkpoint of each kind."""
    folder = tmp_path_factory.mktemp("saved")
    for name, config in KINDS.items():
        torch.manual_seed(0)
        AutoModelForCausalLM.from_config(config).save_pretrained(folder / name)
    return folder


@pytest.fixture
def changed(saved, tmp_path):
    """Copies a checkpoint with other tensors, and with other keys in its config.json; returns its folder."""

    def change(kind: str, tensors=lambda stored: stored, config: dict | None = None):
        folder = tmp_path / "model"
        shutil.copytree(saved / kind, folder)
        stored = load_file(folder / "model.safetensors")
        save_file(tensors(stored), folder / "model.safetensors", metadata={"format": "pt"})
        described = json.loads((folder / "config.json").read_text()) | (config or {})
        (folder / "config.json").write_text(json.dumps(described))
        return folder

    return change


def without(pattern: str):
    return lambda stored: {name: tensor for name, tensor in stored.items() if not re.search(pattern, name)}


def prefixed(prefix: str):
    return lambda stored: {prefix + name: tensor for name, tensor in stored.items()}


def with_tensor(name: str):
    return lambda stored: {**stored, name: torch.ones(3)}


REFUSED = {
    "a layer is missing": ("tied", without(r"\.1\."), {}, r"12 tensors are missing \(model\.layers\.1\.input_lay"),
    "names of a wrapped model": ("tied", prefixed("module."), {}, r"missing \(lm_head\.weight, .*26 tensors are unexp"),
    "names of an adapter's base": ("gpt2", prefixed("base_model.model."), {}, r"unexpected \(base_model\.model\.tran"),
    "biases dropped": ("untied", None, {"model_type": "llama"}, r"6 tensors are unexpected \(.*k_proj\.bias"),
    "biases made up": ("llama", None, {"model_type": "qwen2"}, r"6 tensors are missing \(.*k_proj\.bias"),
    "another hidden size": ("tied", None, {"hidden_size": 32}, r"embed_tokens\.weight \[32, 16\] instead of \[32, 32\]"),
    "another vocabulary": ("untied", None, {"vocab_size": 48}, r"2 tensors are of another shape \(lm_head\.weight"),
    "more layers": ("tied", None, {"num_hidden_layers": 3, "layer_types": None}, r"12 tensors are missing \(model\.layers\.2"),
    "fewer layers": ("llama", None, {"num_hidden_layers": 1}, r"9 tensors are unexpected \(model\.layers\.1\."),
    "endlessly many layers": ("llama", None, {"num_hidden_layers": 10**7}, r"asks for 10000000 layers, and the files hold 21"),
    "no output layer": ("tied", None, {"tie_word_embeddings": False}, r"1 tensors are missing \(lm_head\.weight\)"),
    "an output layer of its own": ("untied", None, {"tie_word_embeddings": True}, r"ties lm_head\.weight to model\.embed_tokens"),
    "a value head": ("tied", with_tensor("v_head.weight"), {}, r"1 tensors are unexpected \(v_head\.weight\)"),
    "an expert is missing": ("experts", without(r"experts\.1\."), {}, r"experts\.down_proj \[1, 16, 24\] instead of \[2, 16"),
    "a part of an expert is missing": ("experts", without(r"0\..*experts\.1\.w1"), {}, "cannot build the model of config"),
    "an unknown type": ("tied", None, {"model_type": "abacus"}, r"config\.json cannot be used: ValueError: .*`abacus`"),
    "a text in place of a number": ("tied", None, {"hidden_size": "16"}, r"config\.json cannot be used: .*'hidden_size'"),
    "an unknown activation": ("tied", None, {"hidden_act": "abacus"}, r"config\.json .*KeyError: 'abacus'"),
    "an encoder": ("tied", None, {"model_type": "t5"}, r"cannot build the model of config\.json .*T5Config"),
    "quantised": ("tied", None, {"quantization_config": {"quant_method": "fp8"}}, r"is quantised \(quantization_config"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("look", [check_weights, lambda folder, trusted: load_model(folder, "float32", trusted)])
def test_weights_that_are_not_there_are_refused_by_their_names(changed, capfd, case, look):
    kind, tensors, config, message = REFUSED[case]
    if case == "endlessly many layers" and look is not check_weights:
        pytest.skip("only the look at the headers comes before the model is built")
    folder = changed(kind, *([tensors] if tensors else []), config=config)
    with pytest.raises(ValueError, match=message) as refused:
        look(folder, False)
    assert "\n" not in str(refused.value)
    if look is check_weights:
        assert capfd.readouterr() == ("", "")


ACCEPTED = {
    "as saved": ("experts", None),
    "without the prefix of the language model": ("gpt2", lambda stored: {n.removeprefix("transformer."): t for n, t in stored.items()}),
    "frequencies of rotation": ("llama", with_tensor("model.layers.0.self_attn.rotary_emb.inv_freq")),
    "masks as buffers": ("gpt2", with_tensor("transformer.h.0.attn.bias")),
    "layers that predict several tokens": ("llama", with_tensor("model.mtp_layers.0.weight")),
    "the tied layer stored again": ("tied", lambda stored: {**stored, "lm_head.weight": stored["model.embed_tokens.weight"].clone()}),
}  # fmt: skip


@pytest.mark.parametrize("case", ACCEPTED)
def test_what_transformers_converts_ties_or_leaves_out_is_no_fault(saved, changed, case):
    kind, tensors = ACCEPTED[case]
    folder = changed(kind, *([tensors] if tensors else []))
    shapes = {name: tensor.shape for name, tensor in check_weights(folder, False).state_dict().items()}
    loaded = load_model(folder, "float32", False).state_dict()
    plain = AutoModelForCausalLM.from_pretrained(saved / kind).state_dict()
    assert shapes == {name: tensor.shape for name, tensor in plain.items()}
    assert all(torch.equal(loaded[name], plain[name]) for name in plain)


@pytest.mark.parametrize(
    ("rope", "limit"),
    [
        ({"rope_type": "default"}, 64),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}, 256),
        ({"rope_type": "linear", "factor": 2.0}, 128),
        ({"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}, 64),
        # Llama 3.1 gives the positions after stretching.
        ({"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 16}, 64),
    ],
)
def test_stretched_positions_count(rope, limit):
    config = AutoConfig.for_model("llama", **SHAPE)
    config.rope_parameters = {"rope_theta": 1e4, **rope}
    assert positions(config) == limit


def test_a_missing_configuration_is_one_message(tmp_path):
    with pytest.raises(ValueError, match=r"config\.json cannot be used: ") as refused:
        read_config(tmp_path, False)
    assert "\n" not in str(refused.value)
