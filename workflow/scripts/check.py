"""Look at everything that a sweep will need, before any of it runs: sources, weights, columns, answers, prompts, contexts, overlap.

Started once by Snakemake's head process. What cannot be run is said in one message; what can be is written down in `--checked`,
so that the same look is not taken twice.
"""

import contextlib
import csv
from collections.abc import Iterator
from functools import partial

from opsft.end_tokens import TURN
from opsft.overlap import RUN, Overlap, find_overlap
from opsft.problems import Problem
from opsft.selection.trial import try_rules
from opsft.verify.golds import check_golds, ungradable
from opsft_flow.files import atomic, write_json
from opsft_flow.graph.own_code import is_own, load_own
from opsft_flow.node import node
from opsft_flow.preparation import as_row, find_checkpoint
from opsft_flow.problem_sets import prepare
from opsft_flow.prompt_check import SAMPLES, Model, read_model
from opsft_flow.rule_chain import loaded


def read_sets(blocks: dict, draws: dict, limits: dict) -> dict[str, list[Problem]]:
    """The problem sets, checked; those that are kept apart from others come after these. `limits` are those of `check_golds`."""
    sets: dict[str, list[Problem]] = {}
    for name in sorted(blocks, key=lambda name: len(blocks[name]["remove_overlap"]) > 0):
        sets[name] = read_set(name, blocks[name], draws.get(name, 0), sets, limits)
    return sets


def read_set(name: str, block: dict, prompts: int, sets: dict[str, list[Problem]], limits: dict) -> list[Problem]:
    """A problem set, checked; at most `prompts` problems are drawn from it at once. `sets` are those read before."""
    verifier = block["verifier"]
    if is_own(verifier):
        load_own(verifier, f"problems.{name}.verifier")
    others = {other: sets[other] for other in block["remove_overlap"]}
    prepared = prepare(name, block, others, partial(ungradable, verifier=verifier, **limits))
    problems = prepared.problems
    if block["unusable"] == "refuse":
        check_golds({problem.id: problem.answer for problem in problems}, name, verifier, **limits)
    print(f"{name}: {prepared.describe()}")
    if prompts > len(problems):
        raise ValueError(
            f"problem set {name!r} has {len(problems)} problems; an iteration draws {prompts} (rollouts.prompts)"
        )
    return problems


@contextlib.contextmanager
def about(model: str) -> Iterator[None]:
    """Name the model in what is refused."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"model {model!r}: {error}") from None


def look_at_model(name: str, block: dict, settings: dict) -> Model:
    """A model whose checkpoint is whole, fits what is to be done with it, and can be asked; prints a line on it."""
    from opsft.model_check import check_model

    context = max((context for model, _, _, context in settings["uses"] if model == name), default=0)
    adapters = [(rank, targets) for model, rank, targets in settings["adapters"] if model == name]
    with about(name):
        folder = find_checkpoint(block["source"], block["revision"])
        model = read_model(name, block, folder, settings["engines"][name])
        prompt = model.encode(*model.prompts([TURN[:1]]), problem="of a trial")
        check_model(folder, model.tokenizer, prompt, model.ends, model.trusted, context, adapters)
    print(model.describe())
    return model


def longest_prompt(model: Model, problems: list[Problem], block: dict) -> tuple[int, str]:
    """Tokens and id of the longest prompt of a problem set."""
    with about(model.name):
        prompts = model.prompts([as_row(problem, block)["prompt"] for problem in problems])
        longest = max((len(model.encode(prompt, p.id)), p.id) for p, prompt in zip(problems, prompts, strict=True))
    for warning in model.other_reading(prompts[:SAMPLES]):
        print(warning)
    return longest


def compare(train: str, tests: list[str], sets: dict[str, list[Problem]]) -> list[Overlap]:
    """What a training set has in common with those of its benchmarks; prints a line on each."""
    found = find_overlap(sets[train], {test: sets[test] for test in tests})
    for test in tests:
        print(describe_overlap(train, test, len(sets[test]), [each for each in found if each.other_set == test]))
    return found


def describe_overlap(train: str, test: str, problems: int, found: list[Overlap]) -> str:
    """How much of a benchmark of so many problems a training set gives away, and how plainly."""
    if not found:
        return f"{train} and {test} have no problem in common"
    known = {overlap.other for overlap in found}
    some, half = (len({overlap.problem for overlap in found if overlap.share >= share}) for share in (0, 0.5))
    same = len({overlap.problem for overlap in found if overlap.same_text})
    return (
        f"{train} gives away {len(known):,} of {problems:,} problems of {test}: {some:,} training problems share {RUN} words in a "
        f"row or the whole text, {half:,} half of such runs or more, {same:,} the whole text"
    )


def write_overlap(path: str, found: dict[str, list[Overlap]]) -> None:
    """Every overlap of a training set with a benchmark as a row."""
    with atomic(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(
            ["training_set", "training_problem", "benchmark_set", "benchmark_problem", "same_text", "share"]
        )
        for train, overlaps in found.items():
            for each in overlaps:
                row = [train, each.problem, each.other_set, each.other, each.same_text, round(each.share, 3)]
                writer.writerow(row)


def main() -> None:
    with node(__doc__, inputs=(), outputs=("overlap", "checked"), may_take=False) as job:
        blocks, models = job.settings["problems"], job.settings["models"]
        for own in job.settings["own_rules"]:
            try_rules(loaded(own["rules"]))
        limits = {"workers": job.threads, **job.settings["verify"]}
        asked = {name: look_at_model(name, block, job.settings) for name, block in models.items()}
        sets = read_sets(blocks, job.settings["draws"], limits)
        longest = {}
        for model, name, cap, context in job.settings["uses"]:
            if (model, name) not in longest:
                longest[model, name] = longest_prompt(asked[model], sets[name], blocks[name])
            tokens, identity = longest[model, name]
            if tokens + cap > context:
                raise ValueError(
                    f"problem set {name!r}: the prompt of problem {identity} has {tokens} tokens of model {model!r}; with "
                    f"{cap} for the response they exceed engine.context, {context}"
                )
            print(f"{model} on {name}: prompts of up to {tokens} tokens, responses of up to {cap}, context {context}")
        overlaps = {train: compare(train, tests, sets) for train, tests in job.settings["overlaps"].items()}
        write_overlap(job.overlap, overlaps)
        write_json(job.checked, job.settings)


if __name__ == "__main__":
    main()
