"""A user's own function: found by its import path, hashed without being run, and loaded."""

import multiprocessing
import sys
from concurrent.futures import ProcessPoolExecutor

import pytest

from opsft_flow.errors import ConfigError
from opsft_flow.graph.code_hash import read_code
from opsft_flow.graph.own_code import is_own, load_own, own_hash


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes a module into the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write_module(name: str, text: str) -> None:
        file = tmp_path / f"{name}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        read_code.cache_clear()

    return write_module


def test_a_colon_tells_own_code_from_what_comes_with_the_project():
    assert is_own("my_rules:keep")
    assert not is_own("correct_within")


def test_a_function_is_loaded_from_the_working_directory_and_from_a_package_there(write):
    write("own_plain", "def keep(x):\n    return x + 1\n")
    write("own_package/part", "def keep(x):\n    return x + 2\n")
    assert load_own("own_plain:keep", "here")(1) == 2
    assert load_own("own_package.part:keep", "here")(1) == 3


def test_a_process_that_is_spawned_later_finds_the_module_by_its_name(write):
    write("own_spawned", "def keep(x):\n    return x * 2\n")
    keep = load_own("own_spawned:keep", "here")
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        assert pool.submit(keep, 21).result() == 42


def test_the_hash_is_that_of_the_code_and_nothing_is_run(write):
    text = "raise SystemExit\ndef keep(x):\n    return x\n"
    write("own_hashed", text)
    first = own_hash("own_hashed:keep", "here")
    write("own_hashed", f'"""Said."""\n{text}# aside\n')
    assert own_hash("own_hashed:keep", "here") == first
    write("own_hashed", text.replace("return x", "return 2 * x"))
    assert own_hash("own_hashed:keep", "here") != first


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_module:keep", "no_such_module.py is neither in the working directory"),
        ("own_broken:keep", "own_broken.py, which is no Python"),
        ("own_other:keep", r"names no function at the top of .*own_other.py; allowed: drop, shorten"),
        ("own-other:keep", "allowed: an import path such as package.module:function"),
        ("own_other:", "allowed: an import path such as package.module:function"),
    ],
)
def test_what_cannot_be_had_is_refused_with_the_key_that_names_it(write, path, message):
    write("own_broken", "def keep(:\n")
    write("own_other", "def drop(x):\n    pass\ndef shorten(x):\n    pass\n")
    with pytest.raises(ConfigError, match=rf"recipes.r.filter.rule: .*{message}"):
        own_hash(path, "recipes.r.filter.rule")


def test_a_module_that_fails_when_it_is_imported_is_refused_in_one_message(write):
    write("own_failing", "1 / 0\ndef keep(x):\n    return x\n")
    with pytest.raises(
        ConfigError, match="here: 'own_failing:keep' cannot be imported: ZeroDivisionError: division by"
    ):
        load_own("own_failing:keep", "here")
