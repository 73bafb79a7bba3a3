"""What comes last on the screen: where the page of the sweep is, and what was found."""

import os


def closing_lines(summary: str) -> list[str]:
    """The lines from the folder of the tables; what was found is the last. What is not there is left out."""
    page, findings = f"{summary}/report.html", f"{summary}/findings.md"
    lines = [f"The sweep on one page: {page}"] if os.path.exists(page) else []
    return lines + headline(findings)


def headline(findings: str) -> list[str]:
    """The first paragraph of findings.md, which says in a line for each model and benchmark what was found."""
    try:
        with open(findings, encoding="utf-8") as file:
            paragraphs = file.read().split("\n\n")
    except (OSError, UnicodeDecodeError):
        return []
    first = next((text for text in paragraphs if not text.startswith("#")), "")
    return [line.removeprefix("- ").replace("**", "") for line in first.splitlines()]
