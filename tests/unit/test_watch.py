"""Memory of a device, read from an nvidia-smi that prints what the real one prints."""

import time
from types import SimpleNamespace

import pytest

from benchmarks import record, watch

NVIDIA_SMI = """#!/bin/sh
case "$*" in
    "--query-gpu=memory.used --format=csv,noheader,nounits --id=0") ;;
    "--query-gpu=name --format=csv,noheader --id=0") echo "NVIDIA H100 80GB HBM3"; exit ;;
    *) echo "Field is not a valid field to query."; exit 2 ;;
esac
head -n 1 {values}
if [ "$(wc -l < {values})" -gt 1 ]; then sed -i 1d {values}; fi
"""


@pytest.fixture
def device(tmp_path, monkeypatch):
    """Takes what the device reports, in MiB: one number a query, and the last for good."""
    program, values = tmp_path / "nvidia-smi", tmp_path / "values"
    program.write_text(NVIDIA_SMI.format(values=values))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    hasty = SimpleNamespace(time=time.time, monotonic=time.monotonic, sleep=lambda seconds: None)
    monkeypatch.setattr(watch, "time", hasty)
    return lambda *numbers: values.write_text("".join(f"{number}\n" for number in numbers))


def test_the_peak_is_what_the_device_had_in_use_beyond_what_was_left_over_before(device, tmp_path):
    device(2000, 700, 600, 600, 3600, 700)  # 2000 to 600: engines of the command before are ending
    watched = watch.run_watched(["sleep", "1"], tmp_path / "log")
    assert watched.peak_memory_mb == 3000
    assert watched.seconds >= 1


def test_the_name_of_the_device_is_in_the_record(device):
    assert record.gpu_name() == "NVIDIA H100 80GB HBM3"
