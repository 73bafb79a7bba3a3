"""Render the results in benchmarks/results as the tables of docs/performance.md, between its markers.

python -m benchmarks.table            # writes the tables
python -m benchmarks.table --check    # fails where they are not those of the results
"""

import argparse
import pathlib
import re
import sys
from collections.abc import Callable

from benchmarks.setting import ROOT
from opsft_flow.files import read_json

RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "performance.md"


def dig(value: dict, path: str) -> object:
    """The value at a dotted path; None where there is none."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def show(value: object) -> str:
    """A number with its thousands apart, and with as many decimals as it was measured to; nothing for None."""
    if value is None:
        return ""
    return f"{value:,}" if isinstance(value, int | float) else str(value)


COLUMNS = {
    "sampling": {
        "model": "parameters.model",
        "engine": "engine",
        "training requests, tokens/s": "training.tokens_per_second",
        "evaluation requests, tokens/s": "evaluation.tokens_per_second",
        "start, s": "start_s",
        "first request, s": "first_request_s",
        "peak memory, MiB": "process.peak_memory_mb",
        "same greedy responses": "same_greedy_responses",
    },
    "sft": {
        "model": "parameters.model",
        "trainer": "trainer",
        "tokens/s": "tokens_per_second",
        "response tokens/s": "response_tokens_per_second",
        "peak memory, MiB": "peak_memory_mb",
        "loss of update 1": "first_loss",
        "mean loss": "mean_loss",
        "arithmetic": "compute",
    },
    "iteration": {
        "model": "parameters.model",
        "method": "method",
        "sampled by": "sampled_by",
        "wall-clock, s": "seconds",
        "of it work, s": "work_s",
        "peak memory, MiB": "peak_memory_mb",
        "tokens sampled": "tokens_sampled",
        "tokens trained": "tokens_trained",
        "share rewarded": "reward",
    },
    "estimators": {
        "what": "what",
        "policies": "policies",
        "problems": "problems",
        "samples": "parameters.samples",
        "resamples": "parameters.resamples",
        "processor time, s": "cpu_s",
        "peak memory, MiB": "peak_memory_mb",
    },
    "orchestration": {
        "kind of node": "kind",
        "nodes": "nodes",
        "seconds a node": "seconds",
        "work": "work_s",
        "beyond work": "beyond_work_s",
        "share beyond work": "beyond_work_share",
        "between, core-seconds a node": "between_s",
        "jobs planned": "jobs",
        "wall-clock, s": "wall_s",
        "processor time, s": "cpu_s",
        "peak memory, MiB": "peak_memory_mb",
    },
    "verification": {
        "like": "like",
        "verifier": "verifier",
        "rollouts": "rollouts",
        "different pairs": "pairs",
        "correct": "correct",
        "seconds": "seconds",
        "processor time, s": "cpu_s",
        "rollouts a minute": "rollouts_per_minute",
        "by two cores' processor time": "rollouts_per_two_cpu_minutes",
    },
}
"""Headings, and where their values lie: in a measurement, or under `parameters` of its record."""


def render_table(benchmark: str, records: list[dict]) -> str:
    """Every measurement of every record as a row, with what the run was and where."""
    columns = COLUMNS[benchmark]
    lines = ["| " + " | ".join(["run", *columns]) + " |", "|" + "---|" * (len(columns) + 1)]
    for record in records:
        for measurement in record["measurements"]:
            found = {**measurement, "parameters": record["parameters"]}
            cells = [record["label"], *(show(dig(found, path)) for path in columns.values())]
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def render_runs(records: list[dict]) -> str:
    """Hardware, sizes, date, versions and command of every record."""
    return "\n".join(f"- *{record['label']}*: {describe(record)}" for record in records)


def describe(record: dict) -> str:
    machine, parameters = record["hardware"], record["parameters"]
    where = machine["gpu"] or "no GPU"
    sizes = [f"{name} {value}" for name, value in parameters.items() if not isinstance(value, dict | list | None)]
    found = [parameters.get("versions"), *(row.get("versions") for row in record["measurements"])]
    versions = sorted({f"{name} {version}" for group in found if group for name, version in group.items()})
    return (
        f"{where}, {machine['cores']} cores ({machine['cpu']}), {machine['memory_gib']} GiB; load before the start "
        f"{record['load_before']}; {record['date']}; {', '.join(sizes)}; {', '.join(versions)}; `{record['command']}`"
    )


def render(page: str) -> str:
    """The page with the text between `<!-- NAME -->` and `<!-- end NAME -->` rendered from the results of benchmark NAME."""
    for benchmark in COLUMNS:
        records = [read_json(file) for file in sorted(RESULTS.glob(f"{benchmark}*.json"))]
        body = f"{render_table(benchmark, records)}\n\n{render_runs(records)}" if records else "Not run."
        page = replace_between(page, f"<!-- {benchmark} -->", f"<!-- end {benchmark} -->", body)
    return page


def replace_between(page: str, start: str, end: str, body: str) -> str:
    """Raises ValueError where the markers do not both stand there once."""
    pattern = re.compile(f"{re.escape(start)}.*?{re.escape(end)}", re.DOTALL)
    pieces = pattern.split(page)
    if len(pieces) != 2:
        raise ValueError(f"{start} … {end} found {len(pieces) - 1} times in the page; it must stand there once")
    return f"{start}\n{body}\n{end}".join(pieces)


def write_or_check(page: pathlib.Path, render: Callable[[str], str], module: str, description: str) -> None:
    """The command of a page that is rendered from records: writes it, or with `--check` ends with an error where it is out of date."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing; fail where the page is out of date")
    options = parser.parse_args()
    text = page.read_text()
    rendered = render(text)
    if options.check:
        sys.exit(f"{page}: out of date; run python -m {module}" if rendered != text else 0)
    page.write_text(rendered)


def main() -> None:
    write_or_check(PAGE, render, "benchmarks.table", __doc__)


if __name__ == "__main__":
    main()
