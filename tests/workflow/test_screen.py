"""What a real run shows, and one that is ended by Ctrl-C."""

import os
import re
import signal
import subprocess
import sys
import time

PATIENCE_S = 120


def test_a_run_shows_a_line_a_job_and_the_finding_last(checkout, monkeypatch):
    # As a shell has them that torchrun has started, and as nobody should set them.
    for name in (
        "RANK",
        "WORLD_SIZE",
        "OPSFT_CLOCK",
        "OPSFT_GPUS_SINCE",
        "OPSFT_GPU_SHARES",
        "OPSFT_HEAD",
        "OPSFT_FORK",
    ):
        monkeypatch.setenv(name, "7 x" if name.startswith("OPSFT") else "7")
    lines = checkout.run("--cores", "2", "--forcerun", "timings").stderr.splitlines()
    jobs = [line for line in lines if line.partition("/")[0].isdigit()]
    assert [line.split(" (")[0] for line in jobs] == ["1/3 tabulate where the time went", "2/3 build the page"]
    assert len(lines) <= 8
    assert "The sweep on one page: results/summary/report.html" in lines[-2]
    assert lines[-1].startswith("toy on sums: ")


def test_the_slurm_profile_and_quiet_runs_show_the_same_end(checkout):
    """The screen is the workflow's and no option of a profile."""
    profile = ["--workflow-profile", "profiles/slurm", "--executor", "local", "--cores", "1", "--forcerun", "page"]
    assert "1/2 build the page (" in checkout.run(*profile).stderr
    quiet = checkout.run("--cores", "1", "--quiet", "rules", "--forcerun", "page").stderr
    assert "build the page" not in quiet
    assert quiet.splitlines()[-1].startswith("toy on sums: ")
    whole = checkout.run("--cores", "1", "--printshellcmds", "--forcerun", "page").stderr
    assert "Reason: " in whole


def test_ctrl_c_says_how_to_go_on_and_nothing_else(checkout, tmp_path):
    command = [sys.executable, "-m", "snakemake", "--configfile", str(checkout.overlay), "--cores", "1"]
    log = tmp_path / "log"
    with open(log, "w") as output:
        run = subprocess.Popen(
            [*command, "--forcerun", "base"],
            cwd=checkout.folder,
            stderr=output,
            start_new_session=True,
            # Tests that run in the background of a shell inherit that the signal is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        until = time.monotonic() + PATIENCE_S
        while (
            not re.search(r"^1/\d", log.read_text(), re.MULTILINE) and run.poll() is None and time.monotonic() < until
        ):
            time.sleep(0.05)
        # To all processes of the terminal, as the key sends it.
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(timeout=PATIENCE_S) != 0
    text = log.read_text()
    assert "Traceback" not in text
    assert "FAILED" not in text
    assert text.splitlines()[-1].startswith("Stopped: ")
    assert text.splitlines()[-1].endswith("run the same command again, and it goes on from there.")
