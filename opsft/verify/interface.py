"""What a verifier is, and how one is found by its name.

A name without a colon is that of a module here, `opsft.verify.{name}`. One with a colon, such as `my_package.my_module:matches`, is the
import path of a function of the user's own. Either way the module holds

- the function `matches(answer: str, gold: str) -> bool` (of the user's own: by any name), which may raise `UnparseableAnswer`
  or `UnevaluatedAnswer`; anything else that one of the user's own raises ends the grading;
- `SELF_TEST`: triples (answer, gold, equal) that it is known to grade right, at least one equal and one not. They are graded
  after every chunk of answers too, so they should be quick;
- `check_gold(gold: str) -> None`, which raises `UnparseableGold`; the user's own may do without;
- `canonical(answer: str) -> str`, linear in its length: two answers with the same canonical form are one, two with different ones may still be
  equal. Of the user's own it is the text, whitespace aside;
- `NEEDS_WORKERS: bool`: whether hostile text could hang or exhaust it. The user's own always runs in worker processes.
"""

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

MACHINERY = frozenset({"errors", "extract", "golds", "grade", "interface", "latex", "pair", "pool", "semaphores"})


@dataclass(frozen=True)
class Verifier:
    """How two answers are compared. See the module for what its parts must do."""

    name: str
    matches: Callable[[str, str], bool]
    check_gold: Callable[[str], None]
    canonical: Callable[[str], str]
    self_test: tuple[tuple[str, str, bool], ...]
    needs_workers: bool
    is_own: bool = False


def load_verifier(name: str) -> Verifier:
    """The verifier called `name`. Raises ValueError where there is none, and where it lacks a part."""
    if ":" in name:
        return _load_own(name)
    module = _builtin_module(name)
    return Verifier(name, module.matches, module.check_gold, module.canonical, module.SELF_TEST, module.NEEDS_WORKERS)


def _builtin_module(name: str) -> ModuleType:
    full_name = f"{__package__}.{name}"
    try:
        if name not in MACHINERY:
            return importlib.import_module(full_name)
    except ModuleNotFoundError as error:
        if error.name != full_name:
            raise
    path = importlib.import_module(__package__).__path__
    available = sorted({module.name for module in pkgutil.iter_modules(path)} - MACHINERY)
    raise ValueError(
        f"verifier {name!r} is unknown: {', '.join(available)} are there, and your own as package.module:function"
    )


def _load_own(name: str) -> Verifier:
    module_name, _, function = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        raise ValueError(f"verifier {name!r} cannot be imported: {type(error).__name__}: {error}") from error
    matches = getattr(module, function, None)
    if not callable(matches):
        raise ValueError(f"verifier {name!r}: {module_name} has no function {function!r}")
    check_gold = getattr(module, "check_gold", _any_gold)
    return Verifier(name, matches, check_gold, _as_written, _own_self_test(name, module), True, is_own=True)


def _as_written(answer: str) -> str:
    """The canonical form of an answer to the user's own verifier, which may not be linear, and so is not asked for one."""
    return " ".join(answer.split())


def _any_gold(gold: str) -> None:
    """For a verifier that reads every gold."""


def _own_self_test(name: str, module: ModuleType) -> tuple[tuple[str, str, bool], ...]:
    """The self-test of the user's own verifier. Without one that tells both ways, a verifier that is broken goes unnoticed."""
    try:
        triples = tuple((str(answer), str(gold), bool(equal)) for answer, gold, equal in module.SELF_TEST)
    except (AttributeError, TypeError, ValueError):
        triples = ()
    if {equal for _, _, equal in triples} != {True, False}:
        raise ValueError(
            f"verifier {name!r}: {module.__name__} needs SELF_TEST, triples (answer, gold, equal) of which at least one is "
            "equal and one is not"
        )
    return triples
