"""Make a settings object from a block of the configuration."""

import dataclasses


def known(kind: type, block: dict):
    """An instance of the dataclass `kind` from those keys of `block` that are its fields."""
    return kind(**{field.name: block[field.name] for field in dataclasses.fields(kind) if field.name in block})
