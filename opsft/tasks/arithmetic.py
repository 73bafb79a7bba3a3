"""Sums of a few digits: the built-in task of the embedded default.

A question reads "3 + 5 + 2", its answer "10". The two splits share no question: a question belongs to
`test` when its hash falls into the first of five buckets, and to `train` otherwise.
"""

import hashlib
import random

SPLITS = ("train", "test")


def split_of(question: str) -> str:
    """The split that a question belongs to, the same on every machine."""
    bucket = hashlib.sha256(question.encode()).digest()[0] % 5
    return "test" if bucket == 0 else "train"


def draw_terms(rng: random.Random, split: str, terms_min: int, terms_max: int) -> list[int]:
    """Draw the digits of one question of `split`; the number of terms is uniform."""
    while True:
        terms = [rng.randint(0, 9) for _ in range(rng.randint(terms_min, terms_max))]
        if split_of(as_question(terms)) == split:
            return terms


def as_question(terms: list[int]) -> str:
    """[3, 5, 2] as "3 + 5 + 2"."""
    return " + ".join(map(str, terms))


def make_problems(split: str, count: int, seed: int, terms_min: int = 3, terms_max: int = 9) -> list[dict]:
    """`count` different problems of `split` as dicts with `question`, `answer` and `level` (number of terms).

    Raises ValueError where the split is unknown or has fewer different questions than asked for.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r} is unknown: the arithmetic task has {', '.join(SPLITS)}")
    if not 2 <= terms_min <= terms_max <= 11:
        raise ValueError(
            f"terms_min {terms_min} and terms_max {terms_max}: 2 <= terms_min <= terms_max <= 11 is needed"
        )
    rng = random.Random(f"{seed}/{split}")
    seen: dict[str, dict] = {}
    for _ in range(100 * count):
        if len(seen) == count:
            break
        terms = draw_terms(rng, split, terms_min, terms_max)
        question = as_question(terms)
        seen[question] = {"question": question, "answer": str(sum(terms)), "level": len(terms)}
    if len(seen) < count:
        raise ValueError(
            f"{count} problems of {terms_min} to {terms_max} terms asked for, {len(seen)} different ones found"
        )
    return list(seen.values())
