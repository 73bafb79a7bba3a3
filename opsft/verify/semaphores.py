"""Names for the semaphores of grading pools, by which those of killed graders are found.

Python names them at random, and a process of its own removes them. Where that is killed with the grader, they stay in shared memory for ever.
"""

import contextlib
import multiprocessing
import os
import pathlib
import re

SHARED_MEMORY = pathlib.Path("/dev/shm")
NAMESPACE = pathlib.Path("/proc/self/ns/pid")


def name_semaphores() -> None:
    """Have this process name its semaphores after itself, and remove what such processes have left that have ended.

    Process numbers mean something within their namespace alone, so that is part of the name. Nothing on a system without them.
    """
    with contextlib.suppress(OSError):
        prefix = f"opsft-{re.sub('[^0-9]', '', os.readlink(NAMESPACE))}-"
        # Python has no public way to say this.
        multiprocessing.current_process()._config["semprefix"] = f"/{prefix}{os.getpid()}"
        for semaphore in SHARED_MEMORY.glob(f"sem.{prefix}*"):
            process = semaphore.name.removeprefix(f"sem.{prefix}").split("-")[0]
            if not os.path.exists(f"/proc/{process}"):
                # Those of other users stay.
                with contextlib.suppress(OSError):
                    semaphore.unlink()
