"""Policy manifests: the small files that are the edges of the graph.

A manifest says where a policy's checkpoint lies, size and BLAKE3 of its files, whose child it is and how it was trained.
The folder of a checkpoint is no declared output: a manifest is written after everything it names is on disk, and
weights may be dropped while their manifest stays.
"""

import os
import pathlib
from collections.abc import Iterable

from opsft_flow.configuration.sources import WANTED, files_of, find_local
from opsft_flow.files import read_json
from opsft_flow.integrity import Damaged, check_file, describe_file

ADAPTER = "adapter.safetensors"


def describe_folder(folder: pathlib.Path) -> dict[str, dict]:
    """Size and BLAKE3 of every file of a checkpoint, by name."""
    return {path.name: describe_file(path) for path in files_of(folder)}


def checkpoint_of(manifest_path: str | os.PathLike) -> pathlib.Path:
    """The checkpoint folder that a manifest names, all of which is read and hashed: for who loads it next.

    Raises ValueError where it has been dropped, Damaged where a file is missing or has other bytes than were written down.
    """
    manifest = read_json(manifest_path)
    remedy = base_remedy(manifest) if manifest["path"] is None else how_to_have_again([manifest_path])
    return require(locate(manifest_path, manifest), manifest["files"], manifest_path, remedy)


def start_of(manifest_path: str | os.PathLike) -> pathlib.Path:
    """Like `checkpoint_of`, of the base model that a policy began with; a manifest of before its files were written down checks none."""
    manifest = read_json(manifest_path)
    base = locate(manifest_path, {**manifest, "path": None})
    return require(base, base_files(manifest), manifest_path, base_remedy(manifest))


def base_files(manifest: dict) -> dict[str, dict]:
    """The files of the base model that a policy began with."""
    return manifest["files"] if manifest["path"] is None else manifest.get("base_files", {})


def optimizer_of(manifest_path: str | os.PathLike) -> pathlib.Path | None:
    """The file of the optimiser's state that a manifest names, or None where there is none (the base model). Checked like a checkpoint."""
    manifest = read_json(manifest_path)
    if manifest["optimizer"] is None:
        return None
    folder = locate_state(manifest_path, manifest)
    require(folder, manifest["optimizer"]["files"], manifest_path, how_to_have_again([manifest_path]))
    return folder / "optimizer.safetensors"


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


def locate_state(manifest_path: str | os.PathLike, manifest: dict) -> pathlib.Path:
    """The folder of the optimiser's state and the adapter of a trained policy."""
    return pathlib.Path(os.path.normpath(pathlib.Path(manifest_path).parent / manifest["optimizer"]["path"]))


def copy_forward(manifest_path: str | os.PathLike, manifest: dict, folder: pathlib.Path) -> dict:
    """The part of the manifest, in `folder`, of a policy that is again the one of `manifest_path`."""
    pointers = {"path": None, "optimizer": manifest["optimizer"]}
    if manifest["path"] is not None:
        pointers["path"] = os.path.relpath(locate(manifest_path, manifest), folder)
    if manifest["optimizer"] is not None:
        state = locate_state(manifest_path, manifest)
        pointers["optimizer"] = {**manifest["optimizer"], "path": os.path.relpath(state, folder)}
    return {
        "copied": True,
        "files": manifest["files"],
        "probe": manifest["probe"],
        "metrics": None,
        **pointers,
    }


def trained_folders(manifest_path: str | os.PathLike) -> tuple[pathlib.Path | None, pathlib.Path | None]:
    """Where the weights and the optimiser's state of a policy lie, there or not; None for what is not of a trained policy."""
    manifest = read_json(manifest_path)
    return (
        None if manifest["path"] is None else locate(manifest_path, manifest),
        None if manifest["optimizer"] is None else locate_state(manifest_path, manifest),
    )


def is_whole(manifest_path: str | os.PathLike) -> bool:
    """True where a trained policy's folders are there, so that the next one can be trained from it."""
    try:
        return all(folder.exists() for folder in trained_folders(manifest_path) if folder)
    except Damaged:
        return False


def first_to_train(manifest_path: str | os.PathLike) -> str:
    """The manifest of the policy that must be trained first to have a dropped one again: the one after the last that is whole."""
    folder = pathlib.Path(manifest_path).parent
    iteration = int(folder.name.removeprefix("iter"))
    while iteration > 1 and not is_whole(folder.with_name(f"iter{iteration - 1}") / "policy.json"):
        iteration -= 1
    return str(folder.with_name(f"iter{iteration}") / "policy.json")


def how_to_have_again(manifests: Iterable[str | os.PathLike]) -> str:
    """What to do where the weights or states that `manifests` name are needed again."""
    first = " ".join(sorted({first_to_train(manifest) for manifest in manifests}))
    return f"To train again from the last that were kept, and run what follows, add to the command: --forcerun {first}"


def base_remedy(manifest: dict) -> str:
    """What to do where the files of a base model have changed."""
    if find_local(manifest["source"]) is not None:
        return "Put the file back; or run again, which begins anew with the base model as it is now"
    return "Delete it, and the file that it points at, and run again, which fetches the base model again"


def require(
    folder: pathlib.Path, files: dict[str, dict], manifest_path: str | os.PathLike, remedy: str
) -> pathlib.Path:
    """A folder of weights or of a state, once each of its files is as the manifest describes it; `remedy` says how to go on where not."""
    if not folder.exists():
        raise ValueError(f"{manifest_path} names {folder}, which is not there: it was dropped or moved. {remedy}")
    for name, entry in files.items():
        check_file(folder / name, entry, manifest_path, remedy)
    return folder
