"""With what the numbers of a benchmark were made: a row for each model and benchmark, from the sidecars beside the results.

The sidecars say what was done, not what the configuration asks for today. Where the base model and the points were not
all made alike, such as by two versions of an engine, a column holds every value that was found, and the numbers are to be compared with care.
"""

import collections
from collections.abc import Callable, Iterator
from pathlib import Path

from opsft_flow.integrity import read_sealed
from opsft_flow.places import Place, measured_on, problem_file
from opsft_flow.points import Point

SEPARATOR = " | "
PROBLEMS = ("source", "name", "revision", "split", "limit", "system", "template")
SAMPLING = ("samples", "temperature", "top_p", "top_k", "max_tokens", "seed")
ENGINE = ("name", "version", "dtype")


def measured_with_rows(settings: dict) -> list[dict]:
    """The rows; `settings` are those of the summary node. A column without any value is empty: its sidecars are gone, or old."""
    rows = []
    for model, benchmarks in settings["base"].items():
        for name in benchmarks:
            problem_set = settings["sampling"][name]["problems"]
            found = collections.defaultdict(dict)
            for column, value in found_values(settings, model, name, problem_set):
                found[column][str(value)] = None
            made = {column: SEPARATOR.join(values) for column, values in found.items()}
            rows.append({"model": model, "benchmark": name, "problem_set": problem_set, **made})
    return rows


def found_values(settings: dict, model: str, benchmark: str, problem_set: str) -> Iterator[tuple[str, object]]:
    """Every (column, value) that a sidecar of this model and benchmark tells; what is null is left out."""
    results = Path(settings["results"])
    yield from values_of(results / problem_file(problem_set), problem_columns)
    for place in places_of(settings, model, benchmark):
        yield from values_of(results / place.path / "rollouts.parquet", sampling_columns)
        yield from values_of(results / place.path / "verdicts.parquet", grading_columns)
        yield from values_of(results / place.path / "metrics.json", estimation_columns)


def places_of(settings: dict, model: str, benchmark: str) -> Iterator[Place]:
    """The base model's evaluation, and all those of every point."""
    yield Place(model, None, 0, benchmark)
    for block in settings["points"]:
        if block["model"] == model and benchmark in block["benchmarks"]:
            point = Point(model, block["recipe"], block["budget"], block["seed"])
            numbers = (i for i in range(1, block["iterations"] + 1) if benchmark in measured_on(block, i))
            yield from (Place(model, point, i, benchmark) for i in numbers)


def values_of(result: Path, columns: Callable[[dict], dict]) -> Iterator[tuple[str, object]]:
    sidecar = result.with_suffix(".run.json")
    if found := read_sealed(sidecar):
        yield from ((name, value) for name, value in columns(found).items() if value is not None)


def problem_columns(sidecar: dict) -> dict:
    block = sidecar["settings"]["problems"]
    return {f"problems_{key}": block.get(key) for key in PROBLEMS}


def sampling_columns(sidecar: dict) -> dict:
    settings, run = sidecar["settings"], sidecar["run"]
    # Where shards were gathered, the engine is that of the jobs that sampled.
    sampled = run.get("shard_runs", [run])[0]
    engine = {f"engine_{key}": sampled.get("engine", {}).get(key) for key in ENGINE}
    return {**{key: settings["rollouts"].get(key) for key in SAMPLING}, **engine, "torch": version(sampled, "torch")}


def grading_columns(sidecar: dict) -> dict:
    """The verifier's name, a hash of the code that graded, and the version of mpmath where that is what compares."""
    settings = sidecar["settings"]
    # A node that was forked has the library loaded whether it uses it or not.
    library = version(sidecar["run"], "mpmath") if settings["verifier"] == "math" else None
    return {"verifier": settings["verifier"], "verifier_code": settings["code"], "mpmath": library}


def estimation_columns(sidecar: dict) -> dict:
    block = sidecar["settings"]["evaluate"]
    return {"resamples": block["resamples"], "level": block["level"], "bootstrap_seed": block["seed"]}


def version(run: dict, package: str) -> str | None:
    return run["packages"].get(package)
