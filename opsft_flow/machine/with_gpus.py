"""Run a command on GPUs that it holds, or on shares of them: `python -P -m opsft_flow.machine.with_gpus COUNT COMMAND ARGUMENT...`

For torchrun, which starts a process for each GPU. The status of the command is this one's. The command holds the locks too: they are
free when it has ended, whatever becomes of this process. It is ended when this process or the workflow ends.
"""

import os
import signal
import subprocess
import sys
import time

from opsft_flow.machine.engine_sockets import put_to_sleep
from opsft_flow.machine.gpus import SINCE, borrow_gpus
from opsft_flow.machine.runtime import die_with_parent, find_head


def main() -> None:
    count, command = int(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    try:
        with borrow_gpus(count, " ".join(command[-1:])) as loan:
            os.environ[SINCE] = str(time.time())
            put_to_sleep(loan.gpus)
            sys.exit(run(command, tuple(lock.fileno() for lock in loan.locks)))
    except ValueError as error:
        sys.exit(f"error: {error}")


def run(command: list[str], locks: tuple[int, ...]) -> int:
    """The status of the command, which is ended by SIGTERM where this process or the workflow ends before."""
    head = find_head()
    # SIGTERM, not SIGKILL: torchrun passes it on to its processes.
    process = subprocess.Popen(command, pass_fds=locks, preexec_fn=lambda: die_with_parent(signal.SIGTERM))
    try:
        while True:
            try:
                return process.wait(timeout=1.0)
            except subprocess.TimeoutExpired:
                if head is not None and not head.is_alive():
                    return 1
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
