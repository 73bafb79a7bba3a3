"""Responses before and after: the base model's beside a policy's, to the same problems.

Compared are the responses with sample index 0, one a problem, so that the choice among samples favours neither side. Of
the problems, a few are shown that were chosen by a rule (`choose`); the counts over all problems say how typical they are.
"""

import os

import pandas

from opsft_flow.tables import read_parquet

LONGEST_TEXT, SHORTEST_TEXT, ALL_TEXT = 4_000, 600, 2_000_000
"""Characters shown of a response: at most, at least, and of all responses of a page together."""

FACTS = ["problem_id", "tokens", "finish_reason"]
VERDICT = ["problem_id", "correct", "answer", "reason"]


def read_first_responses(folder: str) -> pandas.DataFrame | None:
    """The first response to each problem with its verdict, in the order of the file; None where the files are gone."""
    rollouts, verdicts = f"{folder}/rollouts.parquet", f"{folder}/verdicts.parquet"
    if not (os.path.exists(rollouts) and os.path.exists(verdicts)):
        return None
    first = [("sample", "==", 0)]
    facts = read_parquet(rollouts, columns=FACTS, filters=first).to_pandas()
    graded = read_parquet(verdicts, columns=VERDICT, filters=first).to_pandas()
    return facts.merge(graded, on="problem_id", validate="one_to_one")


def pair(before: pandas.DataFrame, after: pandas.DataFrame) -> pandas.DataFrame:
    """A row for each problem that both have answered, with the tokens saved."""
    both = before.merge(after, on="problem_id", suffixes=("_before", "_after"))
    return both.assign(saved=both["tokens_before"] - both["tokens_after"])


def outcomes(pairs: pandas.DataFrame) -> dict[str, int]:
    """How many problems both answered right, only the base model (lost), only the policy (gained), or neither."""
    before, after = pairs["correct_before"].astype(bool), pairs["correct_after"].astype(bool)
    return {
        "both": int((before & after).sum()),
        "lost": int((before & ~after).sum()),
        "gained": int((~before & after).sum()),
        "neither": int((~before & ~after).sum()),
    }


def choose(pairs: pandas.DataFrame) -> dict[str, str]:
    """The problems to show, by why: of those that both answered right the largest, the middle and the smallest saving; of those
    that only one answered right, the first of each kind. Ties go to the earlier problem."""
    before, after = pairs["correct_before"].astype(bool), pairs["correct_after"].astype(bool)
    ranked = pairs[before & after].sort_values("saved", ascending=False, kind="stable")["problem_id"].tolist()
    chosen = {}
    if ranked:
        chosen = {"largest saving": ranked[0], "median saving": ranked[len(ranked) // 2], "smallest saving": ranked[-1]}
    for why, mask in (("lost", before & ~after), ("gained", ~before & after)):
        found = pairs[mask]["problem_id"].tolist()
        if found:
            chosen[why] = found[0]
    return chosen


def read_texts(folder: str, problem_ids: set[str]) -> dict[str, str]:
    """The text of the first response to each of some problems."""
    if not problem_ids:
        return {}
    wanted = [("sample", "==", 0), ("problem_id", "in", sorted(problem_ids))]
    table = read_parquet(f"{folder}/rollouts.parquet", columns=["problem_id", "text"], filters=wanted)
    return dict(zip(*table.to_pydict().values(), strict=True))


def thin(text: str, limit: int) -> str:
    """The beginning and the end of a text that is longer than `limit` characters, with a line that says so."""
    if len(text) <= limit:
        return text
    head = limit * 2 // 3
    return f"{text[:head]}\n[… {len(text) - limit:,} characters left out …]\n{text[head - limit :]}"


def text_limit(responses: int) -> int:
    """Characters to show of each of so many responses."""
    return min(LONGEST_TEXT, max(SHORTEST_TEXT, ALL_TEXT // max(1, responses)))
