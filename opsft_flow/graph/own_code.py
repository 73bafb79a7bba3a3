"""A user's own function, named in the configuration by its import path, such as `my_rules:keep_short`.

Its module is looked for where Python looks, then in the working directory, then beside the Snakefile. Only the settings read the
source; the nodes that use the function import it.
"""

import ast
import importlib
import pathlib
import sys
from collections.abc import Callable

from opsft_flow.errors import ConfigError
from opsft_flow.graph.code_hash import ROOT, read_code


def is_own(name: str) -> bool:
    """True for `package.module:function`; names of what comes with this project have no colon."""
    return ":" in name


def own_hash(path: str, where: str) -> str:
    """The hash of the code in the file that holds a function; comments and docstrings do not count, nor what the file imports.

    Nothing is run. `where` is the key that names the function. Raises ConfigError where there is no such file, where it is no
    Python, and where it defines no such function.
    """
    file, function = own_file(path, where), path.partition(":")[2]
    try:
        defined = [node.name for node in ast.parse(file.read_text()).body if isinstance(node, ast.FunctionDef)]
    except (SyntaxError, ValueError) as error:
        raise ConfigError(f"{where}: {path!r} is in {file}, which is no Python: {error}") from None
    if function not in defined:
        found = ", ".join(defined) or "none"
        raise ConfigError(f"{where}: {path!r} names no function at the top of {file}; allowed: {found}")
    return read_code(file)[0][:16]


def load_own(path: str, where: str) -> Callable:
    """Import a function. From then on Python finds its module by name, in this process and in those that it spawns.

    Raises ConfigError where the function cannot be had.
    """
    folder = str(own_folder(path, where))
    if folder not in sys.path:
        sys.path.append(folder)
    module, _, function = path.partition(":")
    try:
        return getattr(importlib.import_module(module), function)
    except Exception as error:
        raise ConfigError(f"{where}: {path!r} cannot be imported: {type(error).__name__}: {error}") from None


def own_file(path: str, where: str) -> pathlib.Path:
    """The source of the module that a path names."""
    module = pathlib.Path(*path.partition(":")[0].split("."))
    folder = own_folder(path, where)
    return next(file for file in candidates(folder, module) if file.is_file())


def own_folder(path: str, where: str) -> pathlib.Path:
    """The folder that must be on Python's path for the module to be found, the first in the order of the search."""
    name, _, function = path.partition(":")
    parts = name.split(".")
    if not all(part.isidentifier() for part in (*parts, function)):
        raise ConfigError(f"{where}: found {path!r}; allowed: an import path such as package.module:function")
    folders = [*map(pathlib.Path, sys.path), pathlib.Path.cwd(), ROOT]
    for folder in folders:
        if any(file.is_file() for file in candidates(folder, pathlib.Path(*parts))):
            return folder.resolve()
    raise ConfigError(
        f"{where}: {path!r} was not found; {'/'.join(parts)}.py is neither in the working directory, nor beside the "
        "Snakefile, nor where Python looks for packages"
    )


def candidates(folder: pathlib.Path, module: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """The two files that a module can be: a package's `__init__.py`, which Python prefers, or a module's own."""
    return folder / module / "__init__.py", folder / module.with_suffix(".py")
