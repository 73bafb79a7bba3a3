# Functions of a job's wildcards, which inputs and params are given by; and what the wildcards may be.
import inspect
import re

from opsft_flow.places import parse_iteration


wildcard_constraints:
    place=PLAN.place_pattern(),
    undecided=PLAN.undecided_pattern(),
    point=PLAN.point_pattern(),
    iteration=r"[1-9][0-9]*",
    shard=r"[1-9][0-9]*",
    shards=r"[1-9][0-9]*",
    model="|".join(map(re.escape, PLAN.config["models"])),
    problems="|".join(map(re.escape, PLAN.config["problems"])),


def signed(function):
    """A function of a job, with its signature beside it: Snakemake asks for it several times a job, and works it out each time."""
    function.__signature__ = inspect.signature(function)
    return function


def of_place(method):
    """A method of the plan that takes a place, as a function of the wildcards."""
    return signed(lambda wildcards: method(wildcards.place))


def of_iteration(method):
    """A method of the plan that takes the path of a point and an iteration, as a function of the wildcards."""
    return signed(lambda wildcards: method(wildcards.point, int(wildcards.iteration)))


def or_none(files):
    """A function of the wildcards that gives the one file that `files` finds for them, or `none`."""
    return lambda wildcards: "".join(files(wildcards)) or "none"


def decision_before(wildcards):
    """The decision to stop of the iteration before one that is undecided, if any."""
    point, iteration = parse_iteration(wildcards.undecided)
    return PLAN.decision(point, iteration - 1)


def budget_of(wildcards):
    """The file that holds the budget of a place of training; none where it is known from the plan."""
    return PLAN.budget_inputs(getattr(wildcards, "place", None) or f"{wildcards.point}/iter{wildcards.iteration}/train")


def base_folder(wildcards):
    """The folder of the base model's evaluation that a benchmark is compared with, or `none` for the base itself."""
    place = PLAN.base_place(wildcards.place)
    return PLAN.path(place) if place else "none"


def base_tables(wildcards):
    """The base model's rollouts and verdicts on the same benchmark; nothing for the base model itself."""
    place = PLAN.base_place(wildcards.place)
    return [PLAN.path(f"{place}/{table}.parquet") for table in ("rollouts", "verdicts")] if place else []
