"""Policy manifests: the small files that are the edges of the graph.

A manifest says where a policy's checkpoint lies, the SHA-256 of its files, whose child it is and how it was trained.
The folder of a checkpoint is no declared output: a manifest is written after everything it names is on disk, and
weights may be pruned while their manifest stays.
"""

import os
import pathlib
from concurrent.futures import ThreadPoolExecutor

from opsft_flow.files import read_json, sha256_of
from opsft_flow.sources import find_local

WANTED = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "*.py"]
ADAPTER = "adapter.safetensors"


def files_of(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of a checkpoint, sorted; what is not `WANTED` is no part of it."""
    return sorted(p for p in folder.iterdir() if p.is_file() and any(map(p.match, WANTED)))


def describe_folder(folder: pathlib.Path) -> dict[str, dict]:
    """Size and SHA-256 of every file of a checkpoint, by name."""
    files = files_of(folder)
    # Hashing lets go of the interpreter: the shards of a large model are read side by side.
    with ThreadPoolExecutor() as pool:
        hashes = pool.map(sha256_of, files)
    return {p.name: {"bytes": p.stat().st_size, "sha256": digest} for p, digest in zip(files, hashes, strict=True)}


def checkpoint_of(manifest_path: str | os.PathLike) -> pathlib.Path:
    """The checkpoint folder that a manifest names.

    Raises ValueError where it has been pruned, or where a file is missing or has another size than was written down.
    """
    manifest = read_json(manifest_path)
    return require(locate(manifest_path, manifest), manifest["files"], manifest_path)


def optimizer_of(manifest_path: str | os.PathLike) -> pathlib.Path | None:
    """The file of the optimiser's state that a manifest names, or None where there is none (the base model)."""
    manifest = read_json(manifest_path)
    if manifest["optimizer"] is None:
        return None
    folder = pathlib.Path(manifest_path).parent / manifest["optimizer"]["path"]
    return require(folder, manifest["optimizer"]["files"], manifest_path) / "optimizer.safetensors"


def adapter_of(manifest_path: str | os.PathLike) -> pathlib.Path | None:
    """The file of the adapter that a manifest names, or None where there is none: the base model, or trained without one."""
    manifest = read_json(manifest_path)
    if manifest["optimizer"] is None or ADAPTER not in manifest["optimizer"]["files"]:
        return None
    return optimizer_of(manifest_path).with_name(ADAPTER)


def locate(manifest_path: str | os.PathLike, manifest: dict) -> pathlib.Path:
    """Trained policies lie relative to their manifest; the base model lies where its source is."""
    if manifest["path"] is not None:
        return pathlib.Path(os.path.normpath(pathlib.Path(manifest_path).parent / manifest["path"]))
    local = find_local(manifest["source"])
    if local is not None:
        return local
    from huggingface_hub import snapshot_download

    return pathlib.Path(snapshot_download(manifest["source"], revision=manifest["revision"], allow_patterns=WANTED))


def require(folder: pathlib.Path, files: dict[str, dict], manifest_path: str | os.PathLike) -> pathlib.Path:
    if not folder.exists():
        raise ValueError(
            f"{manifest_path} names {folder}, which is not there: the weights were pruned or moved. "
            f"To make them again, delete {manifest_path} and run the sweep"
        )
    for name, entry in files.items():
        found = (folder / name).stat().st_size if (folder / name).exists() else "no such file"
        if found != entry["bytes"]:
            raise ValueError(
                f"{folder / name}: {entry['bytes']} bytes were written down in {manifest_path}, found {found}"
            )
    return folder
