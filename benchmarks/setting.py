"""What a benchmark runs on: model, problem sets and engine, as the configuration of the workflow describes them."""

import argparse
import pathlib
from dataclasses import dataclass
from functools import partial

import yaml
from snakemake.utils import update_config

from opsft.problems import Problem
from opsft.prompts import encode, opens_thinking, render
from opsft.verify.golds import ungradable
from opsft_flow.configuration.config import resolve
from opsft_flow.errors import ConfigError
from opsft_flow.preparation import as_row, find_checkpoint
from opsft_flow.problem_sets import prepare

ROOT = pathlib.Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Prompt:
    """A problem as a model is asked it: chat messages, the ids they make, and what `opsft.verify` needs to grade it."""

    problem_id: str
    messages: list[dict]
    ids: tuple[int, ...]
    answer: str
    opens_thinking: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that every benchmark of a model has."""
    overlays = ["experiments/gsm8k-0.5b.yaml", "experiments/local.yaml"]
    parser.add_argument("--configfile", nargs="*", default=overlays, help="overlays over config.yaml, as for snakemake")
    parser.add_argument("--model", help="name of a model of the configuration (default: the first of the sweep)")


def load_config(overlays: list[str]) -> dict:
    """config.yaml with `overlays` merged over it as Snakemake merges them, every default filled in.

    Raises ConfigError where it cannot be run.
    """
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for overlay in overlays:
        update_config(config, yaml.safe_load(pathlib.Path(overlay).read_text()))
    return resolve(config)


def model_of(config: dict, name: str | None) -> tuple[str, pathlib.Path]:
    """Name and checkpoint of the model called `name`, or of the first of the sweep."""
    name = name or config["sweep"][0]["models"][0]
    if name not in config["models"]:
        raise ConfigError(f"--model {name!r} is not among models: {', '.join(config['models'])}")
    block = config["models"][name]
    return name, find_checkpoint(block["source"], block["revision"]).resolve()


def prepare_set(config: dict, name: str) -> list[Problem]:
    """The problems of a set, as the workflow prepares it."""
    block = config["problems"][name]
    others = {other: prepare_set(config, other) for other in block["remove_overlap"]}
    return prepare(
        name, block, others, partial(ungradable, verifier=block["verifier"], workers=1, **config["verify"])
    ).problems


def read_prompts(config: dict, problem_set: str, tokenizer) -> list[Prompt]:
    """Every problem of `problem_set`, rendered with the chat template of `tokenizer`."""
    block = config["problems"][problem_set]
    prompts = []
    for problem in prepare_set(config, problem_set):
        messages = as_row(problem, block)["prompt"]
        text = render(tokenizer, messages)
        ids = encode(tokenizer, text)
        prompts.append(Prompt(problem.id, messages, ids, problem.answer, opens_thinking(text)))
    return prompts
