"""Run a command on GPUs that it holds alone: `python -P -m opsft_flow.machine.with_gpus COUNT COMMAND ARGUMENT...`

For commands that start a process for each GPU (torchrun). The status of the command is this one's.
"""

import subprocess
import sys

from opsft_flow.machine.gpus import borrow_gpus
from opsft_flow.machine.warm_engine import put_to_sleep


def main() -> None:
    count, command = int(sys.argv[1]), sys.argv[2:]
    try:
        with borrow_gpus(count, " ".join(command[:4])) as loan:
            put_to_sleep(loan.gpus)
            sys.exit(subprocess.run(command).returncode)
    except ValueError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
