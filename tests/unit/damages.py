"""Ways in which a file can be damaged while its times stay."""

import os
import pathlib


def truncate(file: pathlib.Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: pathlib.Path) -> None:
    file.write_bytes(b"")


def flip(file: pathlib.Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def replace_by_folder(file: pathlib.Path) -> None:
    file.unlink()
    file.mkdir()


def link_to_itself(file: pathlib.Path) -> None:
    file.unlink()
    file.symlink_to(file.name)


DAMAGES = (truncate, empty, flip, replace_by_folder, link_to_itself)


def damage(file: pathlib.Path, how) -> None:
    """Damage a file in one of the ways above, as nothing that looks at times would notice."""
    before, above = file.stat(), file.parent.stat()
    how(file)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns), follow_symlinks=False)
    os.utime(file.parent, ns=(above.st_atime_ns, above.st_mtime_ns))
