"""Everything in a results folder that can be checked against what was written down of it, and what is wrong with it."""

import os
import pathlib
from collections.abc import Callable, Iterator

from opsft_flow.files import read_json
from opsft_flow.integrity import SIDECAR, Damaged, check_file, read_sealed, remedy_of
from opsft_flow.weights.policy import checkpoint_of, optimizer_of, trained_folders


def examine(results: pathlib.Path) -> Iterator[tuple[pathlib.Path, str | None]]:
    """Each result, weights included, with what is wrong with it, or None. What is missing is no damage: weights may have been dropped."""
    for folder in sorted({sidecar.parent for sidecar in results.rglob(f"*{SIDECAR}")}):
        yield from examine_folder(folder)
    for manifest in sorted(results.rglob("policy.json")):
        yield from examine_weights(manifest)


def examine_folder(folder: str | os.PathLike) -> Iterator[tuple[pathlib.Path, str | None]]:
    """The sidecars in a folder and the results that they describe, if there are any."""
    for sidecar in sorted(pathlib.Path(folder).glob(f"*{SIDECAR}")):
        yield from examine_outputs(sidecar)


def examine_outputs(sidecar: pathlib.Path) -> Iterator[tuple[pathlib.Path, str | None]]:
    """A sidecar, and the results that it describes."""
    found = read_sealed(sidecar)
    if found is None:
        message = f"{sidecar}: damaged; what it tells about is not checked. {remedy_of(sidecar)}"
        yield sidecar, message
        return
    for name, entry in found.get("outputs", {}).items():
        path = sidecar.with_name(name)
        if os.path.lexists(path):
            yield path, message_of(check_file, path, entry, sidecar, remedy_of(path))


def examine_weights(manifest: pathlib.Path) -> Iterator[tuple[pathlib.Path, str | None]]:
    """The weights and the optimiser's state that a manifest names, where they lie beside it; base models belong to their owners."""
    try:
        weights, state = trained_folders(manifest)
        copied = read_json(manifest)["copied"]
    except Damaged as error:
        yield manifest, str(error)
        return
    for folder, check in ((weights, checkpoint_of), (state, optimizer_of)):
        if folder and folder.exists() and not copied:
            yield folder, message_of(check, manifest)


def message_of(check: Callable, *arguments: object) -> str | None:
    try:
        check(*arguments)
    except Damaged as error:
        return str(error)
    return None
