"""The error of a configuration, apart from what checks one: few nodes should run again when a check is edited."""


class ConfigError(ValueError):
    """The configuration cannot be run; the message says which key, what was found and what is allowed."""
