"""What a configuration says once for several places: `axes` for the blocks of the sweep, and `like` for recipes.

Afterwards it is as if all had been written out, so that it has the same settings. What is not as it should be is left to the schema.
"""

import copy

from opsft_flow.errors import ConfigError


def fill_axes(config: dict) -> None:
    """Fill what the blocks of the sweep leave out with what `axes` says, in place; without a sweep, one block that leaves out all."""
    if isinstance(axes := config.get("axes"), dict):
        sweep = config.setdefault("sweep", [{}])
        if isinstance(sweep, list):
            config["sweep"] = [
                {**copy.deepcopy(axes), **block} if isinstance(block, dict) else block for block in sweep
            ]


def fill_likes(config: dict) -> None:
    """Fill each recipe that is `like` another with what that one says, in place.

    Raises ConfigError where that is no other recipe, or is itself like this one.
    """
    recipes = config.get("recipes")
    if isinstance(recipes, dict):
        config["recipes"] = {name: filled(recipes, name, ()) for name in recipes}


def filled(recipes: dict, name: str, heirs: tuple[str, ...]) -> dict:
    """A recipe over the one that it is like; `heirs` are like it."""
    block = recipes[name]
    if not isinstance(block, dict) or "like" not in block:
        return block
    allowed = [other for other in recipes if other not in (name, *heirs)]
    if block["like"] not in allowed:
        where, names = f"recipes.{name}.like", ", ".join(allowed) or "none, for there is no other"
        raise ConfigError(f"the configuration cannot be run:\n  {where}: found {block['like']!r}; allowed: {names}")
    own = {key: value for key, value in block.items() if key != "like"}
    return over(filled(recipes, block["like"], (name, *heirs)), own)


def over(below: object, above: object) -> object:
    """`above` over `below`, as overlays merge: dicts merge, all else replaces."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return copy.deepcopy(above)
    kept = {key: copy.deepcopy(value) for key, value in below.items() if key not in above}
    return kept | {key: over(below.get(key), value) for key, value in above.items()}
