"""What the code hashes of a sweep were made of, so that a later run can name the module that has changed.

A result carries the hash of the code that made it (`opsft_flow.graph.code_hash`), and no more. Here, each hash has a file of its own with the
hashes of the modules behind it: a handful for a whole sweep.
"""

import os
import pathlib
import tempfile

from opsft_flow.files import read_json, write_json
from opsft_flow.graph.code_hash import HASHED


def record_code(folder: str) -> None:
    """Write a file for each code hash that this process has computed and `folder` does not have."""
    for digest, files in HASHED.items():
        path = record_of(folder, digest)
        if not path.exists():
            os.makedirs(folder, exist_ok=True)
            # Calls that are started together write the same file, each in a folder of its own.
            with tempfile.TemporaryDirectory(dir=folder, prefix=".") as own:
                written = record_of(own, digest)
                write_json(written, files)
                os.replace(written, path)


def code_change(folder: str, old: str, new: str) -> str:
    """How two codes differ, as the settings of nodes hold them: which modules have changed, where that is on record.

    After its first dash a code has the hashes of functions of the user's own.
    """
    (old_hash, _, old_own), (new_hash, _, new_own) = old.partition("-"), new.partition("-")
    before, after = files_of(folder, old_hash), files_of(folder, new_hash)
    if before is None or after is None:
        return "code changed"
    parts = {
        "changed": [file for file in before.keys() & after.keys() if before[file] != after[file]],
        "now used": after.keys() - before.keys(),
        "no longer used": before.keys() - after.keys(),
    }
    texts = [f"{', '.join(sorted(map(module_name, files)))} {verb}" for verb, files in parts.items() if files]
    texts += ["a function of your own changed"] if old_own != new_own else []
    return f"code: {', '.join(texts)}"


def files_of(folder: str, digest: str) -> dict[str, str] | None:
    """The files behind a hash that this process has computed or that is on record."""
    path = record_of(folder, digest)
    return HASHED.get(digest) or (read_json(path) if path.exists() else None)


def record_of(folder: str, digest: str) -> pathlib.Path:
    return pathlib.Path(folder, f"{digest}.json")


def module_name(file: str) -> str:
    """The name by which a module is imported; a script of the workflow is not, and keeps its path."""
    return (
        file if file.startswith("workflow/") else file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    )
