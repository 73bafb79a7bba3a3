"""The hash of a node's code: blind to comments, docstrings and layout, sensitive to behaviour, and to its own files."""

import ast
import pathlib
import shutil
import subprocess

import pytest

from opsft_flow.graph import code_hash as subject

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = (
    "base",
    "check",
    "evaluate",
    "figures",
    "filter",
    "generate",
    "page",
    "problems",
    "sft",
    "summary",
    "timings",
    "track",
    "verify",
)
NAMED = [
    ("generate", "opsft.engines.transformers"),
    ("generate", "opsft.engines.vllm"),
    ("verify", "opsft.verify.integer"),
    ("check", "opsft.verify.exact"),
    ("problems", "opsft.tasks.arithmetic"),
    ("filter", "opsft.selection.shortest_k"),
]
# Every script, and those that import by name once more for each name.
NODES = [*((script,) for script in SCRIPTS), *NAMED]


def forget() -> None:
    subject.code_hash.cache_clear()
    subject.read_code.cache_clear()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A copy of the code that is hashed in place of the real one."""
    for folder in ("opsft", "opsft_flow", "workflow/scripts"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(subject, "ROOT", tmp_path)
    forget()
    yield tmp_path
    forget()


def hashes() -> dict[tuple[str, ...], str]:
    """The hash of every node, read anew."""
    forget()
    return {(script, *modules): subject.code_hash(script, tuple(modules)) for script, *modules in NODES}


@pytest.fixture(scope="module")
def original() -> dict[tuple[str, ...], str]:
    return hashes()


@pytest.fixture
def changed_by(checkout, original):
    """A function that writes `text` to `file` of the copy and gives the nodes whose hash is another one then."""

    def write(file: pathlib.Path, text: str) -> set[tuple[str, ...]]:
        file.write_text(text)
        after = hashes()
        return {node for node in NODES if original[node] != after[node]}

    return write


def test_comments_docstrings_and_layout_do_not_count(checkout, changed_by):
    file = checkout / "opsft" / "selection" / "interface.py"
    text = file.read_text()
    assert text.startswith('"""')
    spread = text.replace("import importlib\n", "\n\n# Why.\nimport importlib  # found by name\n")
    reworded = spread.replace('"""', '"""Reworded. ', 1).replace('"""Apply', '"""Use')
    assert reworded != spread != text
    assert changed_by(file, reworded) == set()


def test_a_docstring_added_or_removed_does_not_count(checkout, changed_by):
    script = checkout / "workflow" / "scripts" / "filter.py"
    with_one = script.read_text().replace("def main() -> None:\n", 'def main() -> None:\n    """All of it."""\n')
    assert changed_by(script, with_one) == set()


def test_a_docstring_of_an_attribute_or_of_a_protocol_s_method_does_not_count(checkout, changed_by):
    file = checkout / "opsft" / "sft.py"
    text = file.read_text()
    assert text.count("    lr: float\n") == text.count('"""The last (progress') == 1
    told = text.replace("    lr: float\n", '    lr: float\n    """Learning rate after the warm-up."""\n')
    reworded = told.replace('"""The last (progress', '"""Latest (progress')
    assert changed_by(file, reworded + '\nEXTRA = """A text that is given a name is code."""\n') == {("sft",)}
    assert changed_by(file, reworded) == set()


def test_a_text_that_is_no_docstring_counts(checkout, changed_by):
    script = checkout / "workflow" / "scripts" / "filter.py"
    text = script.read_text()
    assert text.count("rollouts kept") == 1
    changed = changed_by(script, text.replace("rollouts kept", "responses kept"))
    assert changed == {node for node in NODES if node[0] == "filter"}


def test_behaviour_counts_for_every_node_that_imports_it_directly_or_not(checkout, changed_by):
    file = checkout / "opsft" / "selection" / "interface.py"
    changed = changed_by(file, file.read_text().replace("found >= 0", "found > 0"))
    # The check tries own rules as the filter will call them.
    assert changed == {node for node in NODES if node[0] in ("filter", "check")}


def test_an_import_inside_a_function_counts(checkout, changed_by):
    file = checkout / "opsft" / "sft.py"
    assert changed_by(file, file.read_text() + "\nEXTRA = 1\n") == {("sft",)}


def test_a_package_counts_for_the_modules_below_it(checkout, changed_by):
    file = checkout / "opsft" / "__init__.py"
    changed = changed_by(file, file.read_text() + "\nEXTRA = 1\n")
    assert changed >= {("filter",), ("sft",), ("verify",), ("generate",), ("evaluate",), ("problems",)}
    assert ("summary",) not in changed


@pytest.mark.parametrize("module", sorted({module for _, module in NAMED}))
def test_what_is_imported_by_name_counts_only_where_it_is_named(checkout, changed_by, module):
    file = subject.module_file(module)
    assert checkout in file.parents
    assert changed_by(file, file.read_text() + "\nEXTRA = 1\n") == {node for node in NODES if module in node}


def test_how_nodes_are_run_on_a_machine_does_not_count(checkout, changed_by):
    for name in ("engine_sockets", "file_lock", "gpus", "__init__"):
        file = checkout / "opsft_flow" / "machine" / f"{name}.py"
        assert changed_by(file, file.read_text() + "\nEXTRA = 1\n") == set()


def test_every_function_that_deals_requests_to_engines_or_sets_their_limits_counts_for_sampling(tmp_path):
    counted = subject.HASHED[subject.code_hash("generate", ("opsft.engines.vllm",))]
    for file in (ROOT / "opsft_flow" / "sampling").glob("*.py"):
        functions = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.FunctionDef)]
        for name in {function.name for function in functions}:
            tree = ast.parse(file.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.FunctionDef) and node.name == name:
                    node.body.insert(0, ast.parse("EXTRA = 1").body[0])
            (tmp_path / file.name).write_text(ast.unparse(tree))
            changed = subject.read_code.__wrapped__(tmp_path / file.name)[0]
            assert changed != counted[file.relative_to(ROOT).as_posix()], name
        (tmp_path / file.name).write_text(ast.unparse(ast.parse(file.read_text())))
        assert subject.read_code.__wrapped__(tmp_path / file.name)[0] == counted[file.relative_to(ROOT).as_posix()]


def test_checks_of_the_configuration_are_no_node_s_code(checkout, changed_by):
    file = checkout / "opsft_flow" / "configuration" / "config.py"
    assert changed_by(file, file.read_text() + "\nEXTRA = 1\n") == set()


def test_the_hash_does_not_depend_on_where_the_checkout_lies(checkout, original):
    assert hashes() == original


def test_a_package_is_its_init_file():
    assert subject.module_file("opsft.verify") == ROOT / "opsft" / "verify" / "__init__.py"
    assert subject.module_file("opsft.verify.math") == ROOT / "opsft" / "verify" / "math.py"


NESTED = """
def say(names: list[str], width: int) -> str:
    print(f"{width:{width}}", u"a", "\U0001fae8")
    return f"{', '.join(f'{name:>{width}}' for name in names)}: {len(names)!r}"
"""
OF_NESTED = "fd4334159511a1107f6bc6bc642f5a74cb35c7db8d559530a30828b1d0ad32e0"


def test_the_hash_is_the_same_under_every_version_of_python(tmp_path):
    """Of code that `ast.dump` and `ast.unparse` write as the version may: nested quotes, and an f-string within a format.

    Asked are this Python, and those others that are found here.
    """
    file = tmp_path / "nested.py"
    file.write_text(NESTED)
    ask = f"import pathlib; from opsft_flow.graph.code_hash import read_code; print(read_code(pathlib.Path({str(file)!r}))[0])"
    others = [found for minor in range(10, 16) if (found := shutil.which(f"python3.{minor}"))]
    asked = [subprocess.run([python, "-c", ask], capture_output=True, text=True, cwd=ROOT) for python in others]
    # A launcher of pyenv may lie there for a version that is not.
    answers = [answer.stdout.strip() for answer in asked if answer.returncode != 127]
    assert {subject.read_code(file)[0], *answers} == {OF_NESTED}, [answer.stderr for answer in asked]
