"""Where models and problem sets come from: a local path, or the Hugging Face Hub."""

import pathlib

from opsft.checkpoint_files import weight_files
from opsft.problem_files import FILE_TYPES, SAVED
from opsft_flow.errors import ConfigError

ROOT = pathlib.Path(__file__).resolve().parents[2]
TASKS = ROOT / "opsft" / "tasks"
WANTED = ["*.json", "*.safetensors", "*.jinja", "*.txt", "*.model", "*.py"]
"""The files of a checkpoint that anything is loaded from."""


def find_local(source: str) -> pathlib.Path | None:
    """The local file or folder that `source` names, or None where it is taken for a Hub id.

    Relative paths are looked for in the working directory, then beside the Snakefile.
    """
    path = pathlib.Path(source).expanduser()
    return next((p for p in (path, ROOT / path) if p.exists()), None)


def looks_local(source: str) -> bool:
    """True where `source` cannot be a Hub id (owner/name) and so must exist here."""
    return source.startswith(("/", "./", "../", "~")) or source.count("/") > 1 or source.endswith(FILE_TYPES)


def problem_path(source: str, split: str) -> pathlib.Path | None:
    """The local file of a problem set's split, or the folder that `save_to_disk` made of it, or None for a Hub dataset.

    Raises ConfigError where `source` is a local folder without a file for the split.
    """
    path = find_local(source)
    if path is None or path.is_file() or (path / SAVED).exists():
        return path
    candidates = [path / f"{split}{suffix}" for suffix in FILE_TYPES]
    # The splits of a saved DatasetDict are folders.
    candidates += [path / split] * (path / split / SAVED).exists()
    found = next((candidate for candidate in candidates if candidate.exists()), None)
    if found is None:
        have = ", ".join(sorted(p.name for p in path.iterdir())) or "nothing"
        wanted = ", ".join(candidate.name for candidate in candidates)
        raise ConfigError(f"folder {source} holds {have}; split {split!r} needs one of {wanted}")
    return found


def check_model(name: str, source: str) -> None:
    """Refuse a local model folder that cannot be loaded. Raises ConfigError."""
    path = find_local(source)
    if path is None:
        if looks_local(source):
            raise ConfigError(
                f"models.{name}.source: {source!r} does not exist (working directory {pathlib.Path.cwd()})"
            )
        return
    if not path.is_dir():
        raise ConfigError(
            f"models.{name}.source: {path} is a file; the folder of a checkpoint in safetensors is needed"
        )
    try:
        weight_files(path)
    except ValueError as error:
        raise ConfigError(f"models.{name}.source: {error}") from None
    for pattern in ("config.json", "tokenizer*"):
        if not list(path.glob(pattern)):
            raise ConfigError(f"models.{name}.source: {path} holds no {pattern}; a checkpoint in safetensors is needed")


def check_problems(name: str, source: str, split: str) -> None:
    """Refuse a local problem set that is not there. Raises ConfigError."""
    if source.startswith("builtin:"):
        task, known = source.removeprefix("builtin:"), sorted(file.stem for file in TASKS.glob("[!_]*.py"))
        if task not in known:
            raise ConfigError(f"problems.{name}.source: built-in task {task!r} is unknown; allowed: {', '.join(known)}")
        return
    try:
        found = problem_path(source, split)
    except ConfigError as error:
        raise ConfigError(f"problems.{name}.source: {error}") from None
    if found is None and looks_local(source):
        raise ConfigError(f"problems.{name}.source: {source!r} does not exist (working directory {pathlib.Path.cwd()})")


def files_of(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of a checkpoint, sorted; what is not `WANTED` is no part of it."""
    return sorted(p for p in folder.iterdir() if p.is_file() and any(map(p.match, WANTED)))
