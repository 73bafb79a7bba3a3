"""When a node was started and when its script began: measured by the launcher, told by the sidecar."""

import os
import time

CLOCK = "OPSFT_CLOCK"


def pass_clock(started: float) -> None:
    """Note for the script that begins now when its node was started, in seconds since the epoch."""
    os.environ[CLOCK] = f"{started} {time.time()}"


def take_clock() -> tuple[float, float]:
    """When the node was started and when its script began; both are now where nobody has noted it."""
    now = time.time()
    started, script_started = map(float, os.environ.pop(CLOCK, f"{now} {now}").split())
    return started, script_started
