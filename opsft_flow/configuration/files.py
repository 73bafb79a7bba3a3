"""The files of a configuration before Snakemake reads them: it ends with a traceback, or takes the last of two values, where they are wrong."""

import pathlib
import sys
from collections.abc import Iterable
from typing import NoReturn

from opsft_flow.configuration.yaml_files import lines_of
from opsft_flow.errors import ConfigError
from opsft_flow.machine.printable import printable

OPTIONS = ("--configfile", "--configfiles")


def lines_of_all(files: Iterable[pathlib.Path]) -> dict[str, str]:
    """Where each key is written, as `lines_of` says it; of files that both have it the later one counts.

    Raises ConfigError for the first file that cannot be read.
    """
    return {key: place for file in files for key, place in lines_of(relative(file)).items()}


def relative(file: pathlib.Path) -> pathlib.Path:
    """A file as it is seen from the working directory, where it lies in it."""
    here = pathlib.Path.cwd()
    return file.relative_to(here) if file.is_relative_to(here) else file


def refuse(message: str) -> NoReturn:
    """End this process with a message, and without Snakemake's lines around it, which are about its own files."""
    print(printable(message), file=sys.stderr)
    sys.exit(1)


def check_command_line(arguments: list[str]) -> None:
    """End this process where a file that Snakemake is given as configuration cannot be read."""
    for number, name in given_files(arguments):
        try:
            lines_of_all([pathlib.Path(name)])
        except ConfigError as error:
            if number and not pathlib.Path(name).exists() and not pathlib.Path(name).suffix:
                refuse(
                    f"{name!r} was taken for a file of the configuration, since --configfile takes every word that follows it; "
                    f"write targets first: snakemake {name} --configfile ..."
                )
            refuse(f"--configfile: {error}")


def given_files(arguments: list[str]) -> list[tuple[int, str]]:
    """The words that Snakemake takes for files of the configuration, each with its place after the option."""
    found: list[tuple[int, str]] = []
    place: int | None = None
    for word in arguments:
        option, sign, value = word.partition("=")
        if word.startswith("-"):
            place = 0 if option in OPTIONS and not sign else None
            found += [(0, value)] if option in OPTIONS and sign else []
        elif place is not None:
            found.append((place, word))
            place += 1
    return found
