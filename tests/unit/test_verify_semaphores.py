"""What a killed grader leaves in shared memory is removed by the next one."""

import multiprocessing
import os
import signal
import subprocess
import sys

import pytest

from opsft.verify.semaphores import SHARED_MEMORY, name_semaphores

GRADER = """
import multiprocessing, sys
from opsft.verify.semaphores import name_semaphores
name_semaphores()
lock = multiprocessing.get_context("spawn").Lock()
print(lock._semlock.name, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not SHARED_MEMORY.exists(), reason="semaphores are no files here")
def test_the_semaphores_of_a_killed_grader_are_removed_and_those_of_a_living_one_stay(monkeypatch):
    monkeypatch.setitem(multiprocessing.current_process()._config, "semprefix", "/mp")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", GRADER], env=environment, start_new_session=True, **pipes) as grader:
        name = grader.stdout.readline().strip()
        semaphore = SHARED_MEMORY / f"sem.{name.removeprefix('/')}"
        name_semaphores()
        assert semaphore.exists()
        # With the process that would remove them.
        os.killpg(grader.pid, signal.SIGKILL)
        grader.wait()
        assert semaphore.exists()
        name_semaphores()
        assert not semaphore.exists()
