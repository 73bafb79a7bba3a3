"""Problem sets by name: blocks of the configuration that workflow/presets.yaml fills in."""

import copy
import functools
import pathlib

import yaml

from opsft_flow.errors import ConfigError

PRESETS = pathlib.Path(__file__).resolve().parents[2] / "workflow" / "presets.yaml"
ABOUT_COLUMNS = (
    "columns",
    "filter",
    "question_pattern",
    "answer_from",
    "answer_pattern",
    "join_answers",
    "shuffle_options",
)
"""Keys of a preset that say how its columns are read: other columns are not read like them."""


@functools.cache
def load_presets() -> dict[str, dict]:
    return yaml.safe_load(PRESETS.read_text())


def fill_presets(config: dict) -> None:
    """Put what their presets say into the problem blocks, in place, beneath the keys that are given.

    Afterwards a block is as if it had been written out, so that it has the same settings. Raises ConfigError for a name
    that is no preset.
    """
    problems = config.get("problems")
    for name, block in problems.items() if isinstance(problems, dict) else ():
        if isinstance(block, dict) and block.get("preset") is not None:
            problems[name] = filled(block, f"problems.{name}.preset")


def filled(block: dict, where: str) -> dict:
    """A problem block over its preset."""
    preset, given = block["preset"], {key: value for key, value in block.items() if key != "preset"}
    if not isinstance(preset, str) or preset not in load_presets():
        allowed = ", ".join(load_presets())
        raise ConfigError(f"the configuration cannot be run:\n  {where}: found {preset!r}; allowed: {allowed}")
    beneath = copy.deepcopy(load_presets()[preset])
    if "columns" in given:
        beneath = {key: value for key, value in beneath.items() if key not in ABOUT_COLUMNS}
    return {**beneath, **given}
