"""The environments of the nodes, the definitions of the images, the project's own requirements and the documentation agree."""

import ast
import re
import sys
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from opsft_flow.graph.code_hash import ROOT, module_file, read_code
from tests.workflow.conftest import PARTS

ENVIRONMENTS = sorted(file.stem for file in (ROOT / "envs").glob("*.yaml"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
# What comes with a package that an environment names.
BROUGHT = {
    "vllm": {"huggingface_hub", "jinja2", "numpy", "safetensors", "torch", "transformers"},
}
# What a node imports by its name in the configuration.
BY_NAME = {
    ("generate", "torch"): ("opsft.engines.transformers",),
    ("generate", "vllm"): ("opsft.engines.vllm",),
    ("verify", "cpu"): ("opsft.verify.math", "opsft.verify.integer", "opsft.verify.choice"),
    ("problems", "cpu"): ("opsft.verify.extract", "opsft.verify.golds"),
}


def pins(environment: str) -> dict[str, str]:
    """What pip installs into an environment, and its version."""
    *_, pip = yaml.safe_load((ROOT / f"envs/{environment}.yaml").read_text())["dependencies"]
    return dict(line.split("==") for line in pip["pip"])


def nodes() -> list[tuple[str, str]]:
    """Each node and the environment, or environments, that its rule names."""
    found = []
    for file in sorted((ROOT / "workflow/rules").glob("*.smk")):
        for rule in re.split(r"^rule ", file.read_text(), flags=re.MULTILINE)[1:]:
            environment = re.search(r'conda:\s+"\.\./\.\./envs/(\w+)\.yaml"', rule)
            # None: a rule that only names targets, and `why` and `prune`, which run where Snakemake does.
            for script in re.findall(r'_command\(\s*"(\w+)"|command_of\(\s*"(\w+)"', rule):
                found += [("".join(script), name) for name in ([environment[1]] if environment else ["torch", "vllm"])]
    return sorted(set(found))


def packages_of(script: str, modules: tuple[str, ...]) -> set[str]:
    """The packages, not of this project and not Python's own, that a script imports, at once or later."""
    pending, seen, packages = [ROOT / f"workflow/scripts/{script}.py", *map(module_file, modules)], set(), set()
    while pending:
        file = pending.pop()
        if file not in seen:
            seen.add(file)
            pending += read_code(file)[1]
            packages |= imported(ast.parse(file.read_text()))
    return packages - set(sys.stdlib_module_names) - {"opsft", "opsft_flow"}


def imported(tree: ast.Module) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.split(".")[0] for name in names}


def plain(name: str) -> str:
    """A package by the name it is imported by."""
    return {"pyyaml": "yaml"}.get(name, name.replace("-", "_"))


@pytest.mark.parametrize(("script", "environment"), nodes())
def test_a_node_finds_what_it_imports_in_its_environment(script, environment):
    there = set(map(plain, pins(environment)))
    there |= set().union(*(BROUGHT.get(package, set()) for package in there))
    needed = packages_of(script, BY_NAME.get((script, environment), ()))
    assert needed <= there, f"envs/{environment}.yaml lacks {', '.join(sorted(needed - there))}"


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_an_environment_takes_python_of_conda_and_the_rest_pinned_of_pip(environment):
    block = yaml.safe_load((ROOT / f"envs/{environment}.yaml").read_text())
    assert set(block) == {"channels", "dependencies"}
    python, pip, packages = block["dependencies"]
    assert re.fullmatch(r"python=3\.1[12]", python)
    assert (pip, list(packages)) == ("pip", ["pip"])
    assert all(re.fullmatch(r"[\w-]+==[\w.]+", line) for line in packages["pip"])


def test_environments_agree_with_each_other_and_with_what_the_project_requires():
    extras = PROJECT["optional-dependencies"]
    required = {
        requirement.name.lower(): requirement.specifier
        for requirement in map(Requirement, [*PROJECT["dependencies"], *extras["8bit"], *extras["lora"]])
    }
    versions: dict[str, set[str]] = {}
    for environment in ENVIRONMENTS:
        for name, version in pins(environment).items():
            versions.setdefault(name, set()).add(version)
    assert all(len(found) == 1 for found in versions.values()), versions
    wrong = {name: found for name, (found,) in versions.items() if name in required and found not in required[name]}
    assert wrong == {}
    assert set(versions) - set(required) == {"vllm"}


def test_the_image_holds_all_that_the_workflow_reads_and_what_the_environments_name():
    image, vllm = ((ROOT / f"apptainer/{name}.def").read_text() for name in ("opsft", "vllm"))
    copied = dict(line.split() for line in section(image, "files"))
    assert all(target == f"/opt/opsft/{source}" and (ROOT / source).exists() for source, target in copied.items())
    assert {*PARTS, "pyproject.toml"} - {"tests"} <= set(copied)
    assert f"vllm=={pins('vllm')['vllm']}" in vllm


def section(definition: str, name: str) -> list[str]:
    """The lines of a section of an Apptainer definition."""
    body = re.search(rf"^%{name}\n(.*?)(?=^%|\Z)", definition, re.MULTILINE | re.DOTALL)[1]
    return [line.strip() for line in body.splitlines() if line.strip()]


def test_the_documents_say_what_was_solved():
    readme, page = (ROOT / "README.md").read_text(), (ROOT / "docs/portability.md").read_text()
    assert "docs/portability.md" in readme
    for name in ("vllm", "torch"):
        (version,) = {pins(environment)[name] for environment in ENVIRONMENTS if name in pins(environment)}
        assert f"{name} {version}" in page
