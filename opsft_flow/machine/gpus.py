"""The GPUs of this machine, each lent to one node at a time, or in equal shares to as many as the configuration says.

Snakemake only counts GPUs. Here a node takes the lock of a particular one and sees no other: the lock is an open
file that the kernel frees when the last process that holds it has ended, however it ended. Who takes a share of a GPU also holds a lock on
the whole that other shares may hold too, and nobody who wants it whole. Inside an allocation of a cluster these are the allocation's GPUs.
"""

import contextlib
import fcntl
import itertools
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, TextIO

from opsft_flow.machine.runtime import private_folder, runtime_folder

VISIBLE = "CUDA_VISIBLE_DEVICES"
NONE = ("-1", "none", "void", "NoDevFiles")
"""Names in CUDA_VISIBLE_DEVICES that end the list."""

SINCE = "OPSFT_GPUS_SINCE"
"""Since when the GPUs are held that a node was started on, in seconds since the epoch; set where who started it holds them."""

WAITING = "wait for a GPU"
"""The phase of a node before it holds its GPUs."""

SHARES = "OPSFT_GPU_SHARES"
"""Into how many shares each GPU is cut; not set, it is lent whole."""

ALLOCATION = "SLURM_JOB_ID"
"""Set inside a SLURM job."""

QUERY = ("nvidia-smi", "--query-gpu=index,uuid,memory.total", "--format=csv,noheader,nounits")


class Gpu(NamedTuple):
    """A GPU: its index in PCI order, its UUID, and its memory in MiB; or share number `share` of `shares` of it."""

    index: str
    uuid: str
    memory_mb: int
    share: int = 0
    shares: int = 1


class Loan(NamedTuple):
    """GPUs that this process may use, and the open files that keep others from using them."""

    gpus: tuple[Gpu, ...]
    locks: tuple[TextIO, ...]


def find_gpus() -> list[Gpu]:
    """The GPUs that this process may see, first shares first: all of the machine's, or those that CUDA_VISIBLE_DEVICES names, in its order.

    A SLURM job that CUDA_VISIBLE_DEVICES names none to has none, for those of the machine are other jobs'. An index counts in PCI order. Memory that the driver does not tell is 0, and so is that of a part of a GPU (MIG). Raises ValueError where CUDA_VISIBLE_DEVICES names one that is not there.
    """
    if shutil.which(QUERY[0]) is None:
        return []
    listed = subprocess.run(QUERY, capture_output=True, text=True, timeout=60)
    if listed.returncode:
        return []
    rows = [[field.strip() for field in line.split(",")] for line in listed.stdout.splitlines()]
    gpus = [Gpu(index, uuid, int(memory) if memory.isdigit() else 0) for index, uuid, memory in rows]
    if VISIBLE not in os.environ:
        return [] if ALLOCATION in os.environ else _shared(gpus)
    names = [name.strip() for name in os.environ[VISIBLE].split(",") if name.strip()]
    return _shared([_named(name, gpus) for name in itertools.takewhile(lambda name: name not in NONE, names)])


def gpu_facts(uuids: list[str], seconds: float, machines: int = 1) -> dict:
    """What a sidecar says of the GPUs that a node has held for some time.

    `gpus` are those of this machine, `gpus_held` says how many on all its machines, a share being a part of one, and `gpu_seconds` are
    the seconds from the loan to its return, once for each of them.
    """
    held = len(uuids) * machines / _shares()
    return {"gpus": uuids, "gpus_held": held, "gpu_seconds": round(held * seconds, 3)}


def facts_of_starter(machines: int) -> dict:
    """The same of GPUs that who started this process holds, on each of so many machines."""
    return gpu_facts(os.environ[VISIBLE].split(","), time.time() - float(os.environ[SINCE]), machines)


def _shares() -> int:
    return int(os.environ.get(SHARES, "1"))


def _shared(gpus: list[Gpu]) -> list[Gpu]:
    return [gpu._replace(share=share, shares=_shares()) for share in range(_shares()) for gpu in gpus]


def _named(name: str, gpus: list[Gpu]) -> Gpu:
    for gpu in gpus:
        if name == gpu.index or gpu.uuid.startswith(name):
            return gpu
    if name.startswith("MIG-"):
        return Gpu(name, name, 0)
    known = ", ".join(f"{gpu.index} ({gpu.uuid})" for gpu in gpus)
    raise ValueError(f"{VISIBLE} names {name!r}; this machine has {known or 'no GPU'}")


@contextlib.contextmanager
def borrow_gpus(count: int, what: str, prefer: Callable[[Gpu], bool] = lambda gpu: False) -> Iterator[Loan]:
    """Hold `count` GPUs or a share of each, and let this process and its children see these alone; wait where too few are free.

    `what` says to others who holds them; of the free ones those that `prefer` approves of are taken first. On a machine without a
    GPU the loan is empty; a SLURM job without one sees none from then on. Raises ValueError where the machine has fewer than `count`.
    """
    gpus = find_gpus()
    if not gpus or count == 0:
        if ALLOCATION in os.environ:
            os.environ.setdefault(VISIBLE, "")
        yield Loan((), ())
        return
    if count > how_many(gpus):
        raise ValueError(f"{count} GPUs are asked for (resources.*.gpu); this process may use {how_many(gpus)}")
    loan = _wait_for(count, sorted(gpus, key=lambda gpu: not prefer(gpu)), what)
    before = os.environ.get(VISIBLE)
    os.environ[VISIBLE] = ",".join(gpu.uuid for gpu in loan.gpus)
    try:
        yield loan
    finally:
        os.environ.pop(VISIBLE)
        if before is not None:
            os.environ[VISIBLE] = before
        for lock in loan.locks:
            lock.close()


@contextlib.contextmanager
def borrow_for_node(
    facts: dict, phases: dict[str, float], count: int, what: str, prefer: Callable[[Gpu], bool] = lambda gpu: False
) -> Iterator[Loan]:
    """Like `borrow_gpus`; the node's sidecar, `facts` and `phases` of it, is told how long they were waited for and held."""
    asked = time.monotonic()
    with borrow_gpus(count, what, prefer) as loan:
        lent = time.monotonic()
        if loan.gpus:
            phases[WAITING] = lent - asked
        try:
            yield loan
        finally:
            facts |= gpu_facts([gpu.uuid for gpu in loan.gpus], time.monotonic() - lent)


def how_many(gpus: Iterable[Gpu]) -> int:
    """The GPUs that these are, or that these are shares of."""
    return len({gpu.uuid for gpu in gpus})


def _wait_for(count: int, gpus: list[Gpu], what: str) -> Loan:
    """The locks of `count` GPUs. Who waits for several keeps what is free and holds the gate meanwhile, so that two such never starve
    each other; who waits for one is in nobody's way."""
    folder = private_folder(runtime_folder() / "gpus")
    told = False
    held: dict[Gpu, list[TextIO]] = {}
    with open(folder / "gate", "w") as gate:
        while True:
            fcntl.flock(gate, fcntl.LOCK_EX)
            for gpu in gpus:
                if len(held) < count and gpu.uuid not in {mine.uuid for mine in held}:
                    locks = _try_to_hold(gpu, folder, what)
                    if locks:
                        held[gpu] = locks
            if len(held) == count:
                return Loan(tuple(held), tuple(itertools.chain(*held.values())))
            if not told:
                print(
                    f"waiting for {count} of {how_many(gpus)} GPUs; they are held by: {_holders(folder, gpus, held)}",
                    flush=True,
                )
                told = True
            if count == 1:
                fcntl.flock(gate, fcntl.LOCK_UN)
            time.sleep(0.1)


def _try_to_hold(gpu: Gpu, folder: Path, what: str) -> list[TextIO]:
    """The locks of a GPU, or of a share and of the whole that it is part of; none where somebody else is in the way."""
    if gpu.shares == 1:
        wanted = [(folder / gpu.uuid, fcntl.LOCK_EX)]
    else:
        # Shares of one size alone go together; the caller holds the gate, so nobody takes another in between.
        size = folder / f"{gpu.uuid}.of{gpu.shares}"
        if any(path != size and _is_held(path) for path in folder.glob(f"{gpu.uuid}.of*")):
            return []
        share = folder / f"{gpu.uuid}.{gpu.share}"
        wanted = [(folder / gpu.uuid, fcntl.LOCK_SH), (size, fcntl.LOCK_SH), (share, fcntl.LOCK_EX)]
    locks: list[TextIO] = []
    for path, kind in wanted:
        lock = _try_lock(path, kind)
        if lock is None:
            for taken in locks:
                taken.close()
            return []
        locks.append(lock)
    for lock in locks:
        lock.truncate(0)
    locks[-1].write(f"{what} (process {os.getpid()})")
    locks[-1].flush()
    return locks


def _try_lock(path: Path, kind: int) -> TextIO | None:
    lock = open(path, "a+")  # noqa: SIM115, the lock lives as long as the handle
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        return None
    return lock


def _holders(folder: Path, gpus: list[Gpu], held: Iterable[Gpu]) -> str:
    """Who holds the GPUs that are not ours, or shares of them; the caller holds the gate."""
    wanted = {gpu.uuid for gpu in gpus} - {gpu.uuid for gpu in held}
    files = sorted(path for uuid in wanted for path in folder.glob(f"{uuid}*"))
    return "; ".join(text for path in files if _is_held(path) and (text := path.read_text()))


def _is_held(path: Path) -> bool:
    lock = _try_lock(path, fcntl.LOCK_EX)
    if lock is not None:
        lock.close()
    return lock is None
