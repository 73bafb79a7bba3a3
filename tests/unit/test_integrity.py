"""A result whose bytes have changed since it was written is never used: one message names it and says how to have it again."""

import hashlib
import os
import shutil

import blake3
import pandas
import pyarrow as pa
import pytest
import torch
from safetensors.torch import save_file

from opsft_flow.examination import examine
from opsft_flow.files import read_json, write_json
from opsft_flow.integrity import SERIAL, Damaged, blake3_of, check_file, describe_file, read_sealed, sealed
from opsft_flow.reporting.csv_tables import read_csv_table
from opsft_flow.tables import SELECTED, digests, read_parquet, read_table, write_arrow, write_table
from opsft_flow.weights.policy import adapter_of, checkpoint_of, describe_folder, optimizer_of, start_of
from opsft_flow.weights.scratch import Scratch
from tests.unit.damages import DAMAGES, damage, flip, link_to_itself

POINT = "m/r/L8/seed0/iter1"
TENSORS = {"w": torch.arange(600.0)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """One result of every kind, as the nodes write them."""
    results = tmp_path_factory.mktemp("made") / "results"
    base, iteration, train, summary = (results / path for path in ("base", POINT, f"{POINT}/train", "summary"))
    for folder, file in (
        (base, "model.safetensors"),
        (iteration / "policy", "model.safetensors"),
        (iteration / "trainer", "optimizer.safetensors"),
        (iteration / "trainer", "adapter.safetensors"),
    ):
        folder.mkdir(parents=True, exist_ok=True)
        save_file(TENSORS, folder / file)
        write_json(folder / "config.json", {"hidden_size": 8})
    manifest = {
        "path": "policy",
        "source": str(base),
        "revision": None,
        "files": describe_folder(iteration / "policy"),
        "base_files": describe_folder(base),
        "optimizer": {"path": "trainer", "files": describe_folder(iteration / "trainer")},
        "copied": False,
    }
    write_json(iteration / "policy.json", manifest)
    write_json(base / "policy.json", {**manifest, "path": None, "optimizer": None, "files": describe_folder(base)})
    rows = [{"problem_id": f"p{i}", "sample": i, "weight": 1.0} for i in range(50)]
    train.mkdir()
    summary.mkdir()
    write_table(train / "selected.parquet", rows, SELECTED)
    write_arrow(train / "rollouts.parquet", pa.table({"response_ids": [[1, 2], [3]] * 300}))
    write_json(train / "filter.json", {"kept": 50, "rule": "all"})
    pandas.DataFrame(rows).to_csv(summary / "pairs.csv", index=False)
    pandas.DataFrame(rows).to_parquet(summary / "points.parquet", index=False)
    for sidecar, outputs in (
        (iteration / "policy.run.json", ["policy.json"]),
        (base / "policy.run.json", ["policy.json"]),
        (train / "filter.run.json", ["selected.parquet", "filter.json"]),
        (train / "rollouts.run.json", ["rollouts.parquet"]),
        (summary / "pairs.run.json", ["pairs.csv"]),
        (summary / "points.run.json", ["points.parquet"]),
    ):
        described = {name: describe_file(sidecar.with_name(name)) for name in outputs}
        write_json(sidecar, sealed({"settings": {"node": "n"}, "outputs": described, "run": {"seconds": 1.5}}))
    return results


@pytest.fixture
def results(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "results")
    monkeypatch.setattr("opsft_flow.weights.policy.find_local", lambda source: tmp_path / "results/base")
    return tmp_path / "results"


SELECTED_FILE, ROLLOUTS = f"{POINT}/train/selected.parquet", f"{POINT}/train/rollouts.parquet"
MANIFEST = f"{POINT}/policy.json"
READERS = {
    "table": (SELECTED_FILE, lambda root: read_table(root / SELECTED_FILE, SELECTED)),
    "column of a table": (ROLLOUTS, lambda root: digests(root / ROLLOUTS, "response_ids")),
    "summary table": ("summary/points.parquet", lambda root: read_parquet(root / "summary/points.parquet")),
    "summary csv": ("summary/pairs.csv", lambda root: read_csv_table(root / "summary/pairs.csv")),
    "statistics": (f"{POINT}/train/filter.json", lambda root: read_json(root / f"{POINT}/train/filter.json")),
    "manifest": (MANIFEST, lambda root: checkpoint_of(root / MANIFEST)),
    "weights": (f"{POINT}/policy/model.safetensors", lambda root: checkpoint_of(root / MANIFEST)),
    "configuration": (f"{POINT}/policy/config.json", lambda root: checkpoint_of(root / MANIFEST)),
    "optimizer": (f"{POINT}/trainer/optimizer.safetensors", lambda root: optimizer_of(root / MANIFEST)),
    "adapter": (f"{POINT}/trainer/adapter.safetensors", lambda root: adapter_of(root / MANIFEST)),
    "base model": ("base/model.safetensors", lambda root: checkpoint_of(root / "base/policy.json")),
    "base below an adapter": ("base/model.safetensors", lambda root: start_of(root / MANIFEST)),
}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("kind", READERS)
def test_a_damaged_result_is_refused_with_its_name_and_what_to_do(results, kind, how):
    file, read = READERS[kind]
    read(results)
    damage(results / file, how)
    with pytest.raises(Damaged, match=r"run again|--forcerun \S+/policy.json") as caught:
        read(results)
    assert str(caught.value).startswith(f"{results / file}: ")


@pytest.mark.parametrize("how", [flip, link_to_itself])
@pytest.mark.parametrize("file", dict.fromkeys(file for file, _ in READERS.values() if not file.startswith("base/")))
def test_an_examination_names_what_is_damaged_and_nothing_else(results, file, how):
    assert [wrong for _, wrong in examine(results) if wrong] == []
    damage(results / file, how)
    wrong = [message for _, message in examine(results) if message]
    # What a damaged manifest names is not looked for.
    assert {message.split(": ")[0] for message in wrong} == {str(results / file)}


def test_every_byte_of_a_sidecar_counts_and_a_damaged_one_is_none(results):
    sidecar = results / POINT / "train/filter.run.json"
    content, found = sidecar.read_bytes(), read_sealed(sidecar)
    assert found["run"] == {"seconds": 1.5}
    for i in range(len(content)):
        sidecar.write_bytes(content[:i] + bytes([content[i] ^ 1]) + content[i + 1 :])
        read = read_sealed(sidecar)
        # Its seal under another name is none: then all that it tells is still as it was.
        assert read is None or {key: read.get(key) for key in found} == found
    for how in DAMAGES:
        sidecar.write_bytes(content)
        damage(sidecar, how)
        assert read_sealed(sidecar) is None
        assert next(message for _, message in examine(results) if message).startswith(f"{sidecar}: damaged")
        shutil.rmtree(sidecar) if sidecar.is_dir() else sidecar.unlink()
    assert read_sealed(sidecar) is None
    assert read_table(results / SELECTED_FILE, SELECTED)[0]["problem_id"] == "p0"


def test_results_of_before_hashes_were_written_down_are_read(results):
    sidecar = results / POINT / "train/filter.run.json"
    write_json(sidecar, {"settings": {}, "run": {}})
    assert read_sealed(sidecar) == {"settings": {}, "run": {}}
    assert read_json(results / POINT / "train/filter.json")["kept"] == 50


def test_older_manifests_are_checked_by_the_hash_that_they_have(tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"abc")
    entry = {"bytes": 3, "sha256": hashlib.sha256(b"abc").hexdigest()}
    check_file(file, entry, "policy.json", "")
    damage(file, flip)
    with pytest.raises(Damaged, match=r"its 3 bytes are not those that were written down in policy.json"):
        check_file(file, entry, "policy.json", "")


def test_small_and_large_files_are_hashed_alike(tmp_path):
    for size in (0, SERIAL, SERIAL + 1):
        content = os.urandom(size)
        (tmp_path / "file").write_bytes(content)
        assert blake3_of(tmp_path / "file") == blake3.blake3(content).hexdigest()


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", ["progress.json", "weights.safetensors", "optimizer.safetensors"])
def test_a_training_does_not_go_on_from_a_damaged_state(tmp_path, name, how, capsys):
    scratch = Scratch(tmp_path / "scratch")
    scratch.save({"done": 1}, TENSORS, TENSORS)
    assert scratch.load()[0] == {"done": 1}
    damage(tmp_path / "scratch/state" / name, how)
    assert scratch.load() is None
    assert f"scratch/state/{name}" in capsys.readouterr().out


def test_what_cannot_be_read_is_named(tmp_path):
    # Any read of the memory of this process, from its beginning, is an error of input and output.
    (tmp_path / "a.json").symlink_to("/proc/self/mem")
    (tmp_path / "pipe.json").symlink_to("/dev/null")
    for name, wrong in (("a.json", "cannot be read: Input/output error"), ("pipe.json", "found a device or a pipe")):
        with pytest.raises(Damaged, match=rf"{name}: {wrong}.* delete .*{name} and run again"):
            read_json(tmp_path / name)


def test_json_that_is_none_is_named(tmp_path):
    for text in ("", "{", "[" * 100_000, "\udc80"):
        (tmp_path / "a.json").write_text(text, errors="surrogateescape")
        with pytest.raises(Damaged, match=r"a\.json: no JSON: .* delete .*a\.json and run again"):
            read_json(tmp_path / "a.json")
