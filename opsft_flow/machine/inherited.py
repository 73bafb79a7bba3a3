"""What Snakemake's own process must not inherit: its nodes would take it for theirs."""

import os

from opsft_flow.machine.clock import CLOCK
from opsft_flow.machine.gpus import SINCE

TORCHRUN = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "GROUP_RANK", "MASTER_ADDR", "MASTER_PORT")
"""A shell inside torchrun has these. A node would wait for the other processes of a training that is none of its own."""
LAUNCHER = (CLOCK, SINCE)
"""The launcher sets these for each node."""


def forget_inherited() -> None:
    """Remove these variables from the environment of this process, and so from that of its nodes."""
    for variable in (*TORCHRUN, *LAUNCHER):
        os.environ.pop(variable, None)
