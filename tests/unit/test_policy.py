"""Policy manifests: what they describe, where their checkpoint lies, and what is refused."""

import shutil
import sys
import types

import blake3
import pytest

from opsft_flow.files import write_json
from opsft_flow.weights.policy import (
    adapter_of,
    checkpoint_of,
    describe_folder,
    first_to_train,
    how_to_have_again,
    optimizer_of,
)


@pytest.fixture
def manifest(tmp_path):
    """A trained policy's manifest, with its weights and its optimiser's state beside it."""
    for name in ("policy/model.safetensors", "policy/config.json", "trainer/optimizer.safetensors"):
        file = tmp_path / "iter1" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    folder = tmp_path / "iter1"
    content = {
        "path": "policy",
        "source": "owner/model",
        "revision": None,
        "files": describe_folder(folder / "policy"),
        "optimizer": {"path": "trainer", "files": describe_folder(folder / "trainer")},
    }
    write_json(folder / "policy.json", content)
    return folder / "policy.json", content


def test_a_folder_is_described_by_the_sizes_and_hashes_of_what_is_loaded_from_it(tmp_path):
    wanted = ("chat_template.jinja", "config.json", "merges.txt", "model.safetensors", "modeling.py", "spiece.model")
    other = ("pytorch_model.bin", "model.gguf", "README.md", ".gitattributes", "LICENSE", "notes.pdf", "a.json.lock")
    for name in (*wanted, *other):
        (tmp_path / name).write_bytes(b"abc")
    (tmp_path / "onnx.json").mkdir()
    entry = {"bytes": 3, "blake3": blake3.blake3(b"abc").hexdigest()}
    assert describe_folder(tmp_path) == dict.fromkeys(wanted, entry)


def test_a_trained_policy_lies_beside_its_manifest(manifest):
    path, _ = manifest
    assert checkpoint_of(path) == path.parent / "policy"
    assert optimizer_of(path) == path.parent / "trainer" / "optimizer.safetensors"


def test_a_copied_forward_manifest_points_at_its_parent_s_folders(manifest):
    path, content = manifest
    copied = path.parents[1] / "iter2" / "policy.json"
    optimizer = {**content["optimizer"], "path": "../iter1/trainer"}
    write_json(copied, {**content, "path": "../iter1/policy", "optimizer": optimizer})
    assert checkpoint_of(copied) == path.parent / "policy"
    assert optimizer_of(copied).resolve() == path.parent / "trainer" / "optimizer.safetensors"


def test_dropped_weights_are_named_with_the_way_to_have_them_again(manifest):
    path, _ = manifest
    (path.parent / "policy").rename(path.parent / "gone")
    with pytest.raises(ValueError, match=r"iter1/policy, which is not there: .* --forcerun \S*/iter1/policy.json$"):
        checkpoint_of(path)


@pytest.mark.parametrize(("kept", "first"), [((), 1), ((1,), 2), ((1, 2), 3), ((2,), 3), ((1, 3), 4)])
def test_training_begins_again_after_the_last_policy_that_was_kept_before(manifest, kept, first):
    path, content = manifest
    for i in (1, 2, 3, 4):
        folder = path.parents[1] / f"iter{i}"
        write_json(folder / "policy.json", content)
        for name in ("policy", "trainer"):
            if i in kept:
                (folder / name).mkdir(exist_ok=True)
            elif (folder / name).exists():
                shutil.rmtree(folder / name)
    again = path.parents[1] / f"iter{first}" / "policy.json"
    assert how_to_have_again([str(path.parents[1] / "iter4/policy.json")]).endswith(f"--forcerun {again}")


def test_weights_without_the_optimiser_s_state_are_nothing_to_train_from(manifest):
    path, content = manifest
    write_json(path.parents[1] / "iter2/policy.json", content)
    assert first_to_train(path.parents[1] / "iter2/policy.json") == str(path.parents[1] / "iter2/policy.json")
    shutil.rmtree(path.parent / "trainer")
    assert first_to_train(path.parents[1] / "iter2/policy.json") == str(path)


def test_a_short_file_is_named_with_both_sizes(manifest):
    path, _ = manifest
    (path.parent / "policy" / "model.safetensors").write_text("short")
    with pytest.raises(ValueError, match=r"policy/model.safetensors: 24 bytes were written down in .*, found 5"):
        checkpoint_of(path)


def test_a_missing_file_is_named(manifest):
    path, _ = manifest
    (path.parent / "trainer" / "optimizer.safetensors").unlink()
    with pytest.raises(ValueError, match=r"trainer/optimizer.safetensors: .* found no such file"):
        optimizer_of(path)
    assert checkpoint_of(path).name == "policy"


def test_the_base_model_lies_at_its_source_and_has_no_optimiser(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "config.json").write_text("{}")
    content = {"path": None, "source": str(tmp_path / "model"), "revision": None, "optimizer": None}
    write_json(tmp_path / "policy.json", {**content, "files": describe_folder(tmp_path / "model")})
    assert checkpoint_of(tmp_path / "policy.json") == tmp_path / "model"
    assert optimizer_of(tmp_path / "policy.json") is None


def test_a_base_model_on_the_hub_is_asked_for_by_its_revision_and_without_other_formats(tmp_path, monkeypatch):
    asked = {}

    def snapshot_download(source, revision, allow_patterns):
        asked.update(source=source, revision=revision, patterns=allow_patterns)
        return str(tmp_path)

    monkeypatch.setitem(sys.modules, "huggingface_hub", types.SimpleNamespace(snapshot_download=snapshot_download))
    content = {"path": None, "source": "owner/model", "revision": "abc", "files": {}, "optimizer": None}
    write_json(tmp_path / "policy.json", content)
    assert checkpoint_of(tmp_path / "policy.json") == tmp_path
    assert (asked["source"], asked["revision"]) == ("owner/model", "abc")
    assert "*.safetensors" in asked["patterns"]
    assert not any(pattern.endswith((".bin", ".gguf")) for pattern in asked["patterns"])


def test_the_adapter_lies_beside_the_optimizer_s_state_where_one_was_trained(manifest):
    path, content = manifest
    assert adapter_of(path) is None
    (path.parent / "trainer/adapter.safetensors").write_text("a")
    content["optimizer"]["files"] = describe_folder(path.parent / "trainer")
    write_json(path, content)
    assert adapter_of(path) == path.parent / "trainer/adapter.safetensors"
    write_json(path, {**content, "optimizer": None})
    assert adapter_of(path) is None
