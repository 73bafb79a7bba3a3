"""Files of a checkpoint: which hold the weights, what is wrong with them, and whether their values are numbers."""

import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from opsft.checkpoint_files import INDEX, are_equal, check_finite_values, read_headers, weight_files
from opsft_flow.configuration.sources import check_model
from opsft_flow.errors import ConfigError


def as_file(header: bytes, values: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + values


def entry(shape: list, end: int) -> bytes:
    return json.dumps({"w": {"dtype": "F32", "shape": shape, "data_offsets": [0, end]}}).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"header too small \(0 bytes\)"),
        (b"\xff" * 64, r"header too large \(64 bytes\)"),
        (as_file(b"[" * 100_000), "invalid JSON in header"),
        (as_file(entry([-1], 4), bytes(4)), "invalid JSON in header"),
        (as_file(entry([2], 8), bytes(7)), "not fully covered"),
        (as_file(entry([2**62, 8], 8), bytes(8)), "overflow"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", r"a pointer of Git LFS .*git lfs pull"),
        (None, "No such device|Is a directory"),
    ],
)
def test_a_damaged_file_is_named_with_what_is_wrong(tmp_path, content, message):
    file = tmp_path / "model.safetensors"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"model\.safetensors cannot be read as safetensors: .*({message}).*; get the"
    ):
        read_headers(tmp_path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (b"{", "is no index of tensors: JSONDecodeError"),
        (b"[]", "is no index of tensors: TypeError"),
        (b'{"weight_map": {}}', "must name files of its own folder"),
        (b'{"weight_map": {"w": "../one.safetensors"}}', r"must name files of its own folder; found \['\.\./one"),
        (b'{"weight_map": {"w": 1}}', "must name files of its own folder"),
        (b'{"weight_map": {"w": "one.safetensors", "v": "two.safetensors"}}', "names 1 files that are not there: two"),
    ],
)
def test_an_index_that_does_not_name_the_files_of_its_folder_is_refused(tmp_path, index, message):
    (tmp_path / INDEX).write_bytes(index)
    save_file({"w": torch.ones(2)}, tmp_path / "one.safetensors")
    with pytest.raises(ValueError, match=rf"index\.json {message}"):
        weight_files(tmp_path)


def test_shards_are_those_that_the_index_names_and_hold_each_tensor_once(tmp_path):
    for number, tensors in enumerate([{"a": torch.ones(2)}, {"b": torch.ones(3, 4)}, {"a": torch.zeros(2)}]):
        save_file(tensors, tmp_path / f"model-{number}.safetensors")
    write = (tmp_path / INDEX).write_text
    write(json.dumps({"weight_map": {"a": "model-0.safetensors", "b": "model-1.safetensors"}}))
    assert {name: header.shape for name, header in read_headers(tmp_path).items()} == {"a": (2,), "b": (3, 4)}
    write(json.dumps({"weight_map": {"a": "model-0.safetensors", "b": "model-2.safetensors"}}))
    with pytest.raises(ValueError, match=r"model-2\.safetensors and model-0\.safetensors both hold a;"):
        read_headers(tmp_path)
    save_file({"a": torch.ones(2)}, tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="holds two sets of weights"):
        read_headers(tmp_path)


@pytest.mark.parametrize(
    ("files", "advice"),
    [
        (["pytorch_model.bin", "config.json"], r"pytorch_model\.bin is a file of PyTorch: .*save_pretrained"),
        (["model.gguf"], r"model\.gguf is a GGUF file: .*gguf_file"),
        (
            ["adapter_model.safetensors", "adapter_config.json"],
            r"adapter_model\.safetensors is an adapter: .*merge_and_unl",
        ),
        (["notes.txt"], r"It holds notes\.txt"),
        ([], "It holds nothing"),
    ],
)
def test_another_format_is_refused_at_once_with_how_to_convert_it(tmp_path, files, advice):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(ConfigError, match=rf"models\.m\.source: .* holds no model\.safetensors .*{advice}"):
        check_model("m", str(tmp_path))


def test_a_file_in_place_of_a_folder_is_refused(tmp_path):
    (tmp_path / "model.gguf").touch()
    with pytest.raises(ConfigError, match=r"models\.m\.source: .*model\.gguf is a file; the folder"):
        check_model("m", str(tmp_path / "model.gguf"))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_nan_and_infinity_are_found_and_the_largest_numbers_pass(tmp_path, dtype, monkeypatch):
    monkeypatch.setattr("opsft.checkpoint_files.CHUNK", 8)
    ends = torch.finfo(dtype)
    whole = torch.tensor([ends.max, ends.min, ends.tiny, 0.0, -0.0] * 4, dtype=dtype)
    others = {"empty": torch.ones(0, dtype=dtype), "count": torch.tensor([-1])}
    save_file({"a": whole, **others}, tmp_path / "model.safetensors")
    check_finite_values(tmp_path)
    for bad in ("nan", "inf", "-inf"):
        broken = torch.cat([whole, torch.tensor([float(bad)], dtype=dtype)])
        save_file({"odd": torch.ones(1), "a": whole, "b": broken}, tmp_path / "model.safetensors")
        with pytest.raises(ValueError, match=r"1 tensors hold NaN or infinite weights: b; "):
            check_finite_values(tmp_path)


def test_tensors_are_equal_in_type_shape_and_values(tmp_path):
    one = torch.arange(6.0)
    tensors = {"one": one, "same": one.clone(), "other": one + 1, "long": one.clone().view(2, 3), "half": one.half()}
    save_file(tensors, tmp_path / "model.safetensors")
    headers = read_headers(tmp_path)
    assert {name for name in headers if are_equal(headers["one"], headers[name])} == {"one", "same"}
