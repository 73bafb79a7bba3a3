"""The page in headless Chromium: clicked, pointed at, printed; its numbers are those of the points table."""

import os
import shutil

import pandas
import pytest

from opsft_flow.page.build import build
from opsft_flow.page.content import page_data, run_data
from opsft_flow.page.runs import when
from tests.unit.page_tree import (
    HOSTILE,
    curves_table,
    nodes_table,
    pairs_table,
    points_table,
    recipes_table,
    training_table,
    write_tree,
)

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
LAPTOP = {"width": 1280, "height": 800}
MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no Chromium: install it, as `apt-get install chromium` does on Debian"
    ),
]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """The page of the small sweep."""
    folder = tmp_path_factory.mktemp("page")
    settings = write_tree(folder / "results")
    data = page_data(settings, points_table(), curves_table(), training_table(), recipes_table(), pairs_table())
    path = folder / "report.html"
    path.write_text(build(data, run_data(settings, nodes_table())), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def window():
    """A window of a laptop's size."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    # Chromium has no sandbox for root, as whom containers run.
    flags = [*FLAGS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium.new_page(viewport=LAPTOP, reduced_motion="reduce")
        chromium.close()


@pytest.fixture
def page(window, file):
    """The page, opened anew; it must have asked for nothing else and complained of nothing."""
    requests, complaints = [], []
    listeners = {
        "request": lambda request: requests.append(request.url),
        "console": lambda message: complaints.append(message.text),
        "pageerror": lambda error: complaints.append(str(error)),
    }
    for event, listener in listeners.items():
        window.on(event, listener)
    window.goto(file.as_uri())
    yield window
    for event, listener in listeners.items():
        window.remove_listener(event, listener)
    assert [url for url in requests if not url.startswith("data:")] == [file.as_uri()]
    assert complaints == []


def cells(page, column: str) -> list[str]:
    """The texts of a column of the table, an interval behind its value."""
    return page.eval_on_selector_all(
        f'#table td[data-column="{column}"]',
        "cells => cells.map(cell => [...cell.childNodes].map(n => n.textContent).join(' '))",
    )


def drawn(page, figure: str) -> list[str]:
    """The names of the policies in a figure's first chart."""
    return page.eval_on_selector_all(
        f"#{figure} svg:first-of-type .series", "series => series.map(one => one.dataset.name)"
    )


def test_the_table_has_the_numbers_of_the_points_table(page):
    last = points_table().query("recipe == 'base' or iteration == 2")
    ends = zip(last["accuracy"], last["accuracy_low"], last["accuracy_high"], strict=True)
    assert cells(page, "accuracy") == [f"{100 * a:.1f}% [{100 * b:.1f}, {100 * c:.1f}]" for a, b, c in ends]
    ends = zip(last["tokens_mean"], last["tokens_low"], last["tokens_high"], strict=True)
    assert cells(page, "tokens_mean") == [f"{a:.1f} [{b:.1f}, {c:.1f}]" for a, b, c in ends]
    # Budget 12 lost 20 points; 1 - 2/3 of the tokens are left.
    assert cells(page, "accuracy_diff")[1] == f"{MINUS}20.0 [{MINUS}22.0, {MINUS}18.0]"
    assert cells(page, "tokens_ratio") == [NONE, *[f"{MINUS}66.7% [{MINUS}68.7, {MINUS}64.7]"] * 2]


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("FORMATS.count(1234)", "1,234"),
        ("FORMATS.count('long-tight-x')", "long-tight-x"),
        ("FORMATS.points(-0.0001)", "0.0"),
        ("FORMATS.points(-0.0123)", f"{MINUS}1.2"),
        ("FORMATS.points(0.0123)", "+1.2"),
        ("FORMATS.ratio(0.9999999)", "0.0%"),
        ("FORMATS.tokens(-0.04)", "0.0"),
        ("FORMATS.number(-1.5e-7)", f"{MINUS}1.5e{MINUS}7"),
        ("duration(59.94)", "59.9 s"),
        ("duration(59.97)", "1 min 0 s"),
        ("duration(119.7)", "2 min 0 s"),
        ("duration(3599.8)", "1 h 0 min"),
        ("duration(7195)", "2 h 0 min"),
    ],
)
def test_numbers_are_formatted(page, number: str, shown: str):
    assert page.evaluate(number) == shown


def test_a_heading_sorts_the_table_and_a_second_click_turns_it_round(page):
    heading = page.locator('#table th[data-column="tokens_mean"]')
    for order, budgets in (("ascending", ["12", "24", NONE]), ("descending", [NONE, "24", "12"])):
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == order
        assert cells(page, "budget") == budgets
    # What is missing comes last, whichever way.
    for budgets in (["12", "24", NONE], ["24", "12", NONE]):
        page.locator('#table th[data-column="budget"] button').click()
        assert cells(page, "budget") == budgets


def test_words_filter_the_table_and_groups_add_columns(page):
    page.fill("#filter", "r 24")
    assert cells(page, "budget") == ["24"]
    assert page.inner_text("#count") == "1 row of 3"
    page.fill("#filter", "worse")
    assert cells(page, "budget") == ["12"]
    assert cells(page, "pass_at_2") == []
    page.get_by_role("button", name="More estimates").click()
    assert cells(page, "pass_at_2") == ["75.0%"]
    page.get_by_role("button", name="Other").click()
    assert cells(page, "something_new") == ["0.25"]


def test_a_click_on_a_row_shows_everything_about_it(page):
    page.locator("#table tbody tr").nth(1).click()
    details = page.locator("#details")
    assert details.locator("h2").inner_text() == "m, r, budget 12, seed 0"
    for column, text in (("accuracy", "70.0% [67.0, 74.0]"), ("loss", "12.3"), ("logprob_gap", f"1.5e{MINUS}7")):
        assert details.locator(f'dd[data-column="{column}"]').inner_text() == text
    assert details.locator('dd[data-column="tokens_to_reach_0.5"]').inner_text() == f"21.5 [17.5, {NONE}]"
    assert "5 updates for each batch" in details.inner_text()
    assert "max_tokens" in details.inner_text()
    page.keyboard.press("Escape")
    assert not details.is_visible()


def test_the_keyboard_opens_a_row(page):
    page.locator("#table .open").nth(2).press("Enter")
    assert page.locator("#details-title").inner_text() == "m, r, budget 24, seed 0"


def test_pointing_at_a_mark_shows_its_values(page):
    mark = page.locator('#frontier .series[data-name="budget 24"] .mark.end')
    mark.hover()
    tooltip = page.inner_text("#tooltip")
    assert "budget 24" in tooltip
    assert "90.0% [87.0, 94.0]" in tooltip
    assert "23.0 [21.0, 26.0]" in tooltip
    assert page.locator('#frontier .series[data-name="budget 12"]').get_attribute("class") == "series faint"
    page.mouse.move(5, 5)
    assert not page.is_visible("#tooltip")


def test_arrow_keys_step_through_a_figure(page):
    page.focus("#iterations svg >> nth=0")
    page.keyboard.press("ArrowRight")
    assert "iteration\n2" in page.inner_text("#tooltip")
    page.keyboard.press("ArrowLeft")
    assert "iteration\n1" in page.inner_text("#tooltip")
    page.keyboard.press("ArrowDown")
    assert "budget 24" in page.inner_text("#tooltip")
    page.keyboard.press("Escape")
    assert not page.is_visible("#tooltip")


def test_a_click_in_the_legend_takes_a_policy_out_of_every_figure(page):
    figures = ("frontier", "budgets", "differences", "iterations", "monitors")
    both = {figure: drawn(page, figure) for figure in figures}
    assert both["frontier"] == ["budget 12", "budget 24", "base model"]
    page.get_by_role("button", name="budget 12", exact=True).click()
    for figure in figures:
        assert drawn(page, figure) == [name for name in both[figure] if name != "budget 12"]
    page.get_by_role("button", name="budget 24", exact=True).click()
    assert "Every policy is hidden." in page.inner_text("#iterations")
    for name in ("budget 12", "budget 24"):
        page.get_by_role("button", name=name, exact=True).click()
    assert {figure: drawn(page, figure) for figure in figures} == both


def test_only_monitors_that_were_measured_and_move_are_drawn(page):
    titles = page.eval_on_selector_all("#monitors svg .title", "titles => titles.map(title => title.textContent)")
    assert titles == ["loss", "gradient norm", "something new"]


def test_recipes_over_their_seeds_and_each_two_points_are_compared(page):
    def row(table: str) -> list[str]:
        return page.eval_on_selector_all(
            f"#compared-{table} tbody tr:first-child td",
            "cells => cells.map(cell => [...cell.childNodes].map(n => n.textContent).join(' '))",
        )

    assert row("recipes")[:5] == ["r", "12", "3", "70.0% [67.0, 73.0]", "1.5%"]
    page.click("#each-two summary")
    page.wait_for_selector("#compared-pairs tbody tr")
    first, second = ["r", "12", "0", "70.0%", "21.5"], ["r", "24", "0", "90.0%", "23.0"]
    assert row("pairs") == [*first, *second, "+20.0 [+17.0, +23.0]", "+7.0% [+5.0, +9.0]"]


def test_a_response_is_shown_as_the_text_that_it_is(page):
    page.select_option("#policy", "m/r/24/0")
    shown = page.locator("#pairs .pair").first
    assert [part.inner_text() for part in shown.locator("h4").all()] == ["base model\n✓ right", "budget 24\n✓ right"]
    before, after = (part.text_content() for part in shown.locator("pre").all())
    assert (before, after) == ("wait wait 4", f"{HOSTILE} 4")
    assert "50 tokens; answer 4" in shown.inner_text()
    assert "20 tokens; answer 4" in shown.inner_text()
    assert "second sample" not in page.content()
    assert page.title() == "On-policy SFT: the sweep"
    assert page.locator("img").count() == 0


def test_injected_script_is_refused(window, file, tmp_path):
    """Were markup to slip through, the page's own policy would still keep it from running."""
    broken = tmp_path / "broken.html"
    broken.write_text(file.read_text().replace("</main>", "<script>document.title = 'owned'</script></main>"))
    window.goto(broken.as_uri())
    assert window.title() == "On-policy SFT: the sweep"
    assert window.locator("#table tbody tr").count() == 3


def test_several_models_benchmarks_recipes_schedules_and_seeds_are_told_apart(window, tmp_path):
    """A page of two models: the second with another benchmark, a recipe of two seeds, and a schedule of budgets."""
    tables = []
    for table in (points_table(), curves_table(), training_table()):
        base, point = table[table["recipe"] == "base"], table[table["budget"] == 24]
        falling = point["iteration"].map({1: 20, 2: 10})
        other = [base, point, point.assign(seed=1), point.assign(recipe="s", schedule="falling", budget=falling)]
        other = [rows.assign(model="n", benchmark="products") for rows in other]
        tables.append(pandas.concat([table, *other], ignore_index=True))
    data = page_data({**write_tree(tmp_path / "results"), "points": []}, *tables, recipes_table(), pairs_table())
    file = tmp_path / "report.html"
    file.write_text(build(data, {"when": when([]), "with": {}, "nodes": []}), encoding="utf-8")
    window.goto(file.as_uri())
    assert drawn(window, "frontier") == ["r 12, seed 0", "r 24, seed 0", "base model"]
    assert window.locator("#compared-recipes tbody tr").count() == 2
    window.select_option("#model", "n")
    assert window.locator("#compared-recipes tbody tr").count() == 0
    assert window.input_value("#benchmark") == "products"
    assert drawn(window, "frontier") == ["r 24, seed 0", "r 24, seed 1", "s falling, seed 0", "base model"]
    assert drawn(window, "budgets") == drawn(window, "frontier")
    assert window.locator("#legend .chip").all_inner_texts() == ["r 24", "s falling"]
    assert "no longer there" in window.inner_text("#outcomes")
    assert "not known what was run" in window.inner_text("#clock")
    window.get_by_role("button", name="r 24", exact=True).click()
    assert drawn(window, "frontier") == ["s falling, seed 0", "base model"]


def test_a_sweep_of_many_points_is_drawn(window, tmp_path):
    """Of each two of 500 points the first are drawn, once they are opened; the controls live."""
    pairs = pairs_table().iloc[[0] * (500 * 499 // 2)]
    data = page_data(
        write_tree(tmp_path / "results"), points_table(), curves_table(), training_table(), recipes_table(), pairs
    )
    file = tmp_path / "report.html"
    file.write_text(build(data, {"when": when([]), "with": {}, "nodes": []}), encoding="utf-8")
    window.goto(file.as_uri())
    rows = window.locator("#compared-pairs tbody tr")
    assert rows.count() == 0
    window.click("#each-two summary")
    rows.first.wait_for()
    assert rows.count() == 500
    assert window.inner_text("#each-two-count") == "The first 500 of 124,750; all are in pairs.csv."
    window.get_by_role("button", name="budget 12", exact=True).click()
    assert drawn(window, "frontier") == ["budget 24", "base model"]


def test_settings_and_runs_are_listed(page):
    assert page.inner_text("#own tbody tr >> nth=0").split() == ["m", "r", "12", "0", "12"]
    page.click("#settings summary")
    assert "correct_within" in page.inner_text("#common")
    page.click("#runs summary")
    assert "2.13.0" in page.inner_text("#versions")
    assert "2026-01-02 12:00" in page.inner_text("#clock")
    assert page.inner_text("#nodes tbody tr >> nth=2").split("\t")[0] == "sft"
    assert page.locator("#timeline rect").count() == 31


def test_it_prints_with_everything_open_and_no_controls(page):
    page.emulate_media(media="print")
    assert not page.is_visible("aside")
    assert not page.is_visible("#filter")
    assert page.is_visible("#shown")
    page.emulate_media(media="screen")
    page.evaluate(
        "addEventListener('beforeprint', () => { window.opened = document.querySelectorAll('details:not([open])').length;"
        " window.pairs = document.querySelectorAll('#compared-pairs tbody tr').length })"
    )
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    assert len(pdf) > 50_000
    assert page.evaluate("window.opened") == 0
    assert page.evaluate("window.pairs") == 1
    # Afterwards it is as it was.
    assert page.locator("main details[open]").count() == 0
    assert page.is_visible("aside")


@pytest.mark.parametrize("width", [1280, 1440])
def test_nothing_is_wider_than_a_laptop(page, width: int):
    page.set_viewport_size({**LAPTOP, "width": width})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.set_viewport_size(LAPTOP)
