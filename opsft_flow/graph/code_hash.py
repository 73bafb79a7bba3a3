"""A hash of the code that a node runs, blind to comments, docstrings and layout.

Snakemake does not notice an edited module, and notices a touched script. So the settings of each job carry this hash:
of the script and of every module of this project that it imports, directly or not.
"""

import ast
import functools
import hashlib
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ("opsft", "opsft_flow")
UNCOUNTED = "opsft_flow/machine/"
"""How nodes are run, which changes no result: processes, sockets, locks, GPUs. What deals requests to engines lies in opsft_flow/sampling."""

HASHED: dict[str, dict[str, str]] = {}
"""What each hash that this process has computed is made of: the hash of every file's code, by its path."""


@functools.cache
def code_hash(script: str, modules: tuple[str, ...] = ()) -> str:
    """Hash of workflow/scripts/{script}.py, of what it imports from this project, and of `modules`.

    `modules` names what is imported by name at run time (an engine, a verifier, a selection rule), so that a change in
    one of them reruns only the nodes that use it.
    """
    pending = [ROOT / "workflow" / "scripts" / f"{script}.py", *map(module_file, modules)]
    seen: dict[str, str] = {}
    while pending:
        file = pending.pop()
        key = file.relative_to(ROOT).as_posix()
        if key not in seen and not key.startswith(UNCOUNTED):
            seen[key], imported = read_code(file)
            pending += imported
    digest = hashlib.sha256(repr(sorted(seen.items())).encode()).hexdigest()[:16]
    HASHED[digest] = seen
    return digest


def module_file(module: str) -> pathlib.Path:
    """The file of a module of this project."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@functools.cache
def read_code(file: pathlib.Path) -> tuple[str, list[pathlib.Path]]:
    """The hash of one file's code, and the files of this project that it imports."""
    tree = StripStrings().visit(ast.parse(file.read_text(), str(file)))
    return hashlib.sha256(written_out(tree).encode()).hexdigest(), imported_files(tree)


def written_out(value: object) -> str:
    """A syntax tree as text, the same under every version of Python.

    `ast.dump` and `ast.unparse` are not: one shows fields that are empty or new, the other quotes nested strings as the version may.
    Nor is `repr` of a string with characters that are new to Unicode.
    """
    if isinstance(value, ast.AST):
        # `kind` is the prefix u of a string: no version agrees with the next on where it stays, and it changes nothing.
        named = [(name, field) for name, field in ast.iter_fields(value) if name != "kind" and field not in (None, [])]
        fields = [f"{name}={written_out(field)}" for name, field in named]
        return f"{type(value).__name__}({', '.join(fields)})"
    if isinstance(value, list):
        return f"[{', '.join(map(written_out, value))}]"
    return ascii(value)


class StripStrings(ast.NodeTransformer):
    """Drop every statement that is only a string: docstrings, of modules, classes, functions and attributes.

    And the empty pieces that Python 3.12 puts into some f-strings.
    """

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        is_string = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if is_string else self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.JoinedStr:
        node.values = [part for part in node.values if not (isinstance(part, ast.Constant) and part.value == "")]
        return self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]
        return node


def imported_files(tree: ast.Module) -> list[pathlib.Path]:
    """Files of this project that a module imports, those of the packages above them included."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    own = {name for name in names if name.split(".")[0] in PACKAGES}
    with_parents = {".".join(name.split(".")[:depth]) for name in own for depth in range(1, name.count(".") + 2)}
    return sorted(file for file in map(module_file, with_parents) if file.exists())
