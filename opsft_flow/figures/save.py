"""A figure into files."""

from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

from opsft_flow.figures.look import STYLE
from opsft_flow.files import atomic


@matplotlib.rc_context(STYLE)
def save(figure: Figure, stem: Path) -> None:
    """Write `stem`.svg and `stem`.png; the same figure gives the same bytes."""
    for suffix, options in (("svg", {"metadata": {"Date": None}}), ("png", {"dpi": 160})):
        with atomic(f"{stem}.{suffix}") as temporary:
            figure.savefig(temporary, format=suffix, **options)
