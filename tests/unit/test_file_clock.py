"""Results that would be older than their inputs are refused before the work, not after it."""

import os
import time

import pytest

from opsft_flow.graph.file_clock import check_clock


def test_an_input_from_the_future_is_named_with_both_times(tmp_path):
    now, later, missing = (str(tmp_path / name) for name in ("now", "later", "missing"))
    for path in (now, later):
        open(path, "w").close()
    check_clock([now, later, missing], str(tmp_path / "results"))
    day = time.time() + 86_400
    os.utime(later, (day, day))
    with pytest.raises(ValueError, match=r"later was written at .* UTC, and the clock now says .* UTC: .* `touch`"):
        check_clock([now, later, missing], str(tmp_path / "results"))
    assert list((tmp_path / "results").iterdir()) == []


def test_without_inputs_there_is_nothing_to_compare(tmp_path):
    check_clock([], str(tmp_path))
