"""Progress lines."""

import pytest

from opsft_flow import progress
from opsft_flow.progress import reporter


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets by hand, in seconds."""

    class Clock:
        now = 100.0

    monkeypatch.setattr(progress.time, "monotonic", lambda: Clock.now)
    return Clock


def test_at_most_one_line_in_the_interval_and_one_at_the_end(clock, capsys):
    report = reporter("responses", "tokens", every_s=5.0)
    for second, done in ((1, 1), (5, 2), (6, 3), (9.5, 4), (11, 5)):
        clock.now = 100.0 + second
        report(done, 5, 100 * done)
    assert capsys.readouterr().out.splitlines() == [
        "responses 2/5 | 200 tokens | 40 tokens/s | 8 s left",
        "responses 5/5 | 500 tokens | 45 tokens/s | 0 s left",
    ]


def test_nothing_done_yet_leaves_the_time_unknown(clock, capsys):
    report = reporter("graded", "responses")
    clock.now += 10
    report(0, 1000, 0)
    assert capsys.readouterr().out == "graded 0/1,000 | 0 responses | 0 responses/s | time left unknown\n"


def test_a_bound_on_the_whole_bounds_the_time_left(clock, capsys):
    report = reporter("responses", "tokens", most=1000)
    clock.now += 10
    report(0, 10, 200)
    clock.now += 10
    report(1, 10, 800)
    assert [line.rsplit(" | ", 1)[1] for line in capsys.readouterr().out.splitlines()] == ["40 s left", "5 s left"]
