"""Render the records of against_grpo.py into docs/against_grpo.md, between its markers; no number there is typed by hand.

python -m benchmarks.grpo_page            # writes the page
python -m benchmarks.grpo_page --check    # fails where it is not that of the records
"""

from benchmarks.grpo_claims import arm_table, run_table, sentences
from benchmarks.setting import ROOT
from benchmarks.table import RESULTS, describe, replace_between, write_or_check
from opsft_flow.files import read_json

PAGE = ROOT / "docs" / "against_grpo.md"
RECORDS = ("against_grpo-toy", "against_grpo-h100")
"""Their names are those of the files, of the markers, and of the figures in docs/figures/."""


def render(page: str) -> str:
    """The page with the text between `<!-- NAME -->` and `<!-- end NAME -->` rendered from the record of that name."""
    for name in RECORDS:
        file = RESULTS / f"{name}.json"
        body = render_record(name, read_json(file)) if file.exists() else "Not run."
        page = replace_between(page, f"<!-- {name} -->", f"<!-- end {name} -->", body)
    return page


def render_record(name: str, record: dict) -> str:
    """Sentences, table and figure, every run, and what was run where."""
    runs = record["measurements"]
    said = "\n".join(f"- {sentence}" for sentence in sentences(runs))
    figure = f"![Mean tokens and accuracy against both clocks, a line a run](figures/{name}.png)"
    run = f"{describe(record)}\n\nLoad before each run: {', '.join(str(run['load_before']) for run in runs)}."
    return "\n\n".join([said, arm_table(runs), figure, run_table(runs), run])


def main() -> None:
    write_or_check(PAGE, render, "benchmarks.grpo_page", __doc__)


if __name__ == "__main__":
    main()
