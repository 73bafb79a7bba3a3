"""The marks between which a reasoning model thinks; what follows the last end is its answer."""

START, END = "<think>", "</think>"
