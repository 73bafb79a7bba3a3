"""The tables and sentences of a finished sweep, from what its nodes measured."""
