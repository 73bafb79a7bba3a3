"""Results that Snakemake may not have taken note of yet.

Snakemake learns that a node has ended some time after it has, and never where the head was killed in between. It then starts
the node again, and deletes its outputs first. So a node also links its outputs into a folder where Snakemake deletes nothing, and one
that is started again finds them there. The links go when a later node reads the result, for then Snakemake has seen it, or when
a call of Snakemake ends that knows of it.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

FOLDER = "OPSFT_UNSEEN"
"""The variable that names the folder; without it nothing is kept."""


def links(output: str) -> Iterator[Path]:
    """Names for the links to a node's sidecar and outputs, in this order; `output` is the first of these."""
    return (Path(os.environ[FOLDER], f"{name_of(output)}.{number}") for number in count())


def name_of(output: str) -> str:
    """What the links to the results of a node begin with."""
    return hashlib.sha256(output.encode()).hexdigest()[:24]


def keep(sidecar: str, outputs: list[str]) -> None:
    """Link what a node has written, the sidecar last. A file system without hard links, or without room, keeps nothing."""
    if FOLDER not in os.environ:
        return
    forget(outputs[0])
    with contextlib.suppress(OSError):
        os.makedirs(os.environ[FOLDER], exist_ok=True)
        for link, file in reversed(list(zip(links(outputs[0]), [sidecar, *outputs], strict=False))):
            link.unlink(missing_ok=True)
            os.link(file, link)


def bring_back(sidecar: str, outputs: list[str], is_same: Callable[[Path], bool]) -> None:
    """Put back what Snakemake has deleted, where the kept sidecar tells of the same work; else keep it no longer."""
    files = [sidecar, *outputs]
    if FOLDER not in os.environ or any(map(os.path.exists, files)):
        return
    kept = list(zip(links(outputs[0]), files, strict=False))
    if all(link.exists() for link, _ in kept) and is_same(kept[0][0]):
        for link, file in kept:
            os.link(link, file)
    else:
        forget(outputs[0])


def forget(*outputs: str) -> None:
    """Drop the links to the results of nodes, by the first output of each: Snakemake has seen them."""
    if FOLDER not in os.environ:
        return
    names = set(map(name_of, outputs))
    # A kill can leave any of a node's links, the first of them missing. The folder is read once for all nodes.
    with contextlib.suppress(FileNotFoundError):
        for link in Path(os.environ[FOLDER]).iterdir():
            if link.stem in names:
                link.unlink(missing_ok=True)


def forget_finished(outputs: list[str]) -> None:
    """Drop the links to all that a call of Snakemake has seen end, and the folder where it is empty then."""
    forget(*outputs)
    with contextlib.suppress(OSError):
        os.rmdir(os.environ[FOLDER])
