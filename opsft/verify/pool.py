"""Grade pairs in worker processes, which a hostile answer can neither hang nor exhaust.

Each worker has a memory limit, and is killed with the task that runs over its time. That is processor time, so that verdicts do not depend
on what else the machine does; a task that waits is killed too, later. Pairs are graded in chunks; the
members of a chunk that fails are graded again one at a time, so that a hostile answer costs only its own grade.

A chunk counts only if the worker that graded it still passes the verifier's self-test afterwards and has memory left: libraries take
a MemoryError, like any other error, for "different", and would grade everything after it wrong.
"""

import math
import mmap
import multiprocessing
import os
import resource
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from opsft.verify.errors import VerifierBroken
from opsft.verify.interface import Verifier, load_verifier
from opsft.verify.pair import Pair, grade_pair, run_self_test
from opsft.verify.semaphores import name_semaphores

Chunk = list[Pair]

MIN_MEMORY_MB = 256  # a worker with mpmath needs about 40
MAX_CHUNK_PAIRS = 32
CHUNKS_PER_WORKER = 200  # then it is replaced, which bounds what the caches of a verifier can hold
SELF_TEST_TIMEOUT_S = 60.0
# More than a worker needs to start. A pool that is silent for longer has lost a task: pebble does, where a worker dies
# between taking a task and saying so.
SILENCE_S = 120.0
MAX_POOLS = 5
SPARE_MB = 32
"""Memory that a worker must still be able to have after a chunk."""
WALL_FACTOR = 10
"""The wall-clock that a task may take, in multiples of its processor time."""
NO_MEMORY, SELF_TEST_FAILED = 81, 82
"""Exit codes of a worker that cannot be used any longer."""


@dataclass(frozen=True)
class Limits:
    """Number of worker processes, seconds of processor time to grade a pair, and address space of a worker in MiB."""

    workers: int
    timeout_s: float
    memory_mb: int

    def __post_init__(self) -> None:
        if self.workers < 1 or not self.timeout_s > 0 or self.memory_mb < MIN_MEMORY_MB:
            raise ValueError(f"{self}: workers >= 1, timeout_s > 0 and memory_mb >= {MIN_MEMORY_MB} are needed")


def grade_in_workers(
    verifier: Verifier, pairs: Sequence[Pair], limits: Limits, progress: Callable[[int, int], None] | None = None
) -> list[str]:
    """The grades of different `pairs`, in their order.

    A pair that takes too long is graded `timeout`; one that ends its worker, `unparseable_answer`. The verifier's
    self-test runs in every pool before its first chunk, and after every chunk in the worker that graded it. A pool that breaks
    is replaced, up to MAX_POOLS in all.

    Raises VerifierBroken where the self-test fails or the pools keep breaking, OwnVerifierFailed where a verifier of the user's own does.
    """
    grades: dict[Pair, str] = {}
    chunks = deque(_in_chunks(pairs, limits.workers))
    for _ in range(MAX_POOLS):
        with _worker_pool(verifier.name, limits) as pool:
            _self_test(pool, verifier.name, limits)
            for chunk, chunk_grades in _grade_chunks(pool, verifier.name, chunks, limits):
                grades.update(zip(chunk, chunk_grades, strict=True))
                if progress:
                    progress(len(grades), len(pairs))
            if not chunks:
                return [grades[pair] for pair in pairs]
    raise VerifierBroken(
        f"{verifier.name}: {MAX_POOLS} pools of workers broke, {len(pairs) - len(grades)} pairs are not graded"
    )


def _in_chunks(pairs: Sequence[Pair], workers: int) -> Iterator[Chunk]:
    """Chunks of neighbours, small enough to give every worker several."""
    size = max(1, min(MAX_CHUNK_PAIRS, math.ceil(len(pairs) / (4 * workers))))
    return (list(pairs[start : start + size]) for start in range(0, len(pairs), size))


@contextmanager
def _worker_pool(verifier: str, limits: Limits) -> Iterator[ProcessPool]:
    name_semaphores()
    pool = ProcessPool(
        max_workers=limits.workers,
        max_tasks=CHUNKS_PER_WORKER,
        initializer=_start_worker,
        initargs=(verifier, limits),
        context=multiprocessing.get_context("spawn"),
    )
    try:
        yield pool
    finally:
        pool.stop()
        pool.join()


def _self_test(pool: ProcessPool, verifier: str, limits: Limits) -> None:
    try:
        tests = [
            pool.schedule(_test_worker, args=(verifier,), timeout=SELF_TEST_TIMEOUT_S) for _ in range(limits.workers)
        ]
        failures = [test.result(timeout=SELF_TEST_TIMEOUT_S + SILENCE_S) for test in tests]
    except (TimeoutError, MemoryError, ProcessExpired, RuntimeError) as error:
        raise VerifierBroken(f"{verifier}: the workers cannot run the self-test within {limits}: {error!r}") from error
    for failure in filter(None, failures):
        raise VerifierBroken(failure)


def _grade_chunks(
    pool: ProcessPool, verifier: str, chunks: deque[Chunk], limits: Limits
) -> Iterator[tuple[Chunk, list[str]]]:
    """Take from `chunks` and yield with grades until none is left.

    Where the pool breaks this ends early, and `chunks` holds what is not graded.
    """
    running: dict[ProcessFuture, Chunk] = {}
    try:
        while chunks or running:
            while chunks and len(running) < 2 * limits.workers:
                task = pool.schedule(
                    _grade_chunk, args=(verifier, chunks[0], limits.timeout_s), timeout=limits.timeout_s * WALL_FACTOR
                )
                running[task] = chunks.popleft()
            done, _ = wait(running, timeout=limits.timeout_s * WALL_FACTOR + SILENCE_S, return_when=FIRST_COMPLETED)
            if not done:
                raise BrokenProcessPool(f"no worker has answered for {SILENCE_S} s")
            for future in done:
                grades = _grades(future)
                chunk = running.pop(future)
                if isinstance(grades, list):
                    yield chunk, grades
                elif len(chunk) > 1:
                    chunks.extend([pair] for pair in chunk)
                elif grades == "self_test_failed":
                    answer, gold = chunk[0]
                    raise VerifierBroken(
                        f"{verifier} fails its self-test once it has graded answer {answer[:80]!r} for gold {gold[:80]!r}"
                    )
                else:
                    yield chunk, [grades]
    except VerifierBroken:
        raise
    except RuntimeError:  # BrokenProcessPool, or the RuntimeError of pebble for work given to a broken pool
        chunks.extend(running.values())


def _grades(future: ProcessFuture) -> list[str] | str:
    """The grades of a chunk, or the one grade that fits how it failed, or `self_test_failed`."""
    try:
        return future.result()
    except TimeoutError:
        return "timeout"
    except ProcessExpired as error:
        grade_of = {-signal.SIGPROF: "timeout", SELF_TEST_FAILED: "self_test_failed"}
        return grade_of.get(error.exitcode, "unparseable_answer")
    except MemoryError:
        return "unparseable_answer"


def _start_worker(verifier: str, limits: Limits) -> None:
    """Limit this process and warm the verifier up, so that its first pair is not charged with imports and caches."""
    # The default action kills at once; a Python handler would wait for a long computation in C to end.
    for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    loaded = load_verifier(verifier)
    address_space = limits.memory_mb * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for answer, gold, _ in loaded.self_test:
        with suppress(VerifierBroken):  # the self-test says so
            grade_pair(loaded, answer, gold)


def _test_worker(verifier: str) -> str | None:
    """Runs in a worker. What its self-test finds wrong, if anything."""
    try:
        run_self_test(load_verifier(verifier))
    except VerifierBroken as error:
        return str(error)
    return None


def _grade_chunk(verifier: str, chunk: Chunk, timeout_s: float) -> list[str]:
    """Runs in a worker, and ends it where it cannot be trusted any longer. The alarm ends it where its parent was killed."""
    signal.setitimer(signal.ITIMER_PROF, timeout_s)
    signal.setitimer(signal.ITIMER_REAL, timeout_s * WALL_FACTOR + SILENCE_S)
    try:
        loaded = load_verifier(verifier)
        grades = [grade_pair(loaded, answer, gold) for answer, gold in chunk]
    except MemoryError:
        os._exit(NO_MEMORY)
    try:
        mmap.mmap(-1, SPARE_MB * 2**20).close()
        run_self_test(loaded)
    except (MemoryError, OSError):
        os._exit(NO_MEMORY)
    except VerifierBroken:
        os._exit(SELF_TEST_FAILED)
    for timer in (signal.ITIMER_PROF, signal.ITIMER_REAL):
        signal.setitimer(timer, 0)
    return grades
