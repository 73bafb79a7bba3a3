"""The page of benchmark results shows what was measured, and nothing that was typed."""

from pathlib import Path

import pytest

from benchmarks.table import render, replace_between

PAGE = Path(__file__).resolve().parents[2] / "docs" / "performance.md"


def test_the_tables_are_those_of_the_recorded_results():
    assert render(PAGE.read_text()) == PAGE.read_text()


def test_a_number_that_was_typed_is_replaced():
    page = PAGE.read_text()
    assert render(page.replace("| vllm |", "| 9,999 |")) == page


def test_a_page_without_the_place_of_a_table_is_refused():
    with pytest.raises(ValueError, match="found 0 times"):
        replace_between("no table", "<!-- a -->", "<!-- end a -->", "")
