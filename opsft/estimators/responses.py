"""The graded responses of one policy on one benchmark, as the estimators take them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np


@dataclass(frozen=True, eq=False)
class Responses:
    """P problems with n responses each; problems and samples are in the same order in every array.

    problem_ids  [P], each once
    correct      [P, n] bool, right and finished
    matched      [P, n] bool, the comparison with the gold answer alone
    finished     [P, n] bool, ended by EOS within max_tokens
    tokens       [P, n] int, length with EOS
    answers      [P, n] object, the answer in its verifier's canonical form, or None
    max_tokens   the cap that generation ran under

    Raises ValueError where the arrays contradict this or each other.
    """

    problem_ids: Sequence[str]
    correct: np.ndarray
    matched: np.ndarray
    finished: np.ndarray
    tokens: np.ndarray
    answers: np.ndarray
    max_tokens: int

    def __post_init__(self) -> None:
        self._check_shapes()
        self._check_values()

    @classmethod
    def from_rows(
        cls,
        problem_ids: Sequence[str],
        sample_indices: Sequence[int],
        correct: Sequence[bool],
        matched: Sequence[bool],
        finished: Sequence[bool],
        tokens: Sequence[int],
        answers: Sequence[str | None],
        max_tokens: int,
    ) -> Self:
        """Fold columns with one entry per response, in any order, into [P, n]: sorted by problem id, then sample index.

        Raises ValueError where there are no rows, a response is there twice, or problems differ in their number of
        samples.
        """
        ids, samples = _complete_grid(problem_ids, sample_indices)
        order = np.lexsort((np.asarray(sample_indices), np.asarray(problem_ids, dtype=str)))

        def fold(column: Sequence, dtype: type | None = None) -> np.ndarray:
            return np.asarray(column, dtype=dtype)[order].reshape(len(ids), samples)

        return cls(
            problem_ids=ids,
            correct=fold(correct),
            matched=fold(matched),
            finished=fold(finished),
            tokens=fold(tokens),
            answers=fold(answers, object),
            max_tokens=max_tokens,
        )

    @property
    def lengths(self) -> np.ndarray:
        """Length of each response, [P, n]: `tokens`, where a truncated one counts at the cap, as a lower bound."""
        return np.where(self.finished, self.tokens, self.max_tokens)

    @property
    def answered(self) -> np.ndarray:
        """Whether each response finished with an answer, [P, n] bool."""
        return self.finished & np.array([[answer is not None for answer in row] for row in self.answers])

    def in_order_of(self, problem_ids: Sequence[str]) -> Self:
        """The same responses with their problems in the order of `problem_ids`.

        Raises ValueError unless both hold the same problems.
        """
        row_of = {problem_id: row for row, problem_id in enumerate(self.problem_ids)}
        missing = [problem_id for problem_id in problem_ids if problem_id not in row_of]
        extra = row_of.keys() - set(problem_ids)
        if missing or extra:
            raise ValueError(
                f"two policies are compared on the same problems only: of the {len(problem_ids)} problems of the first "
                f"{len(missing)} are missing from the second, which has {len(extra)} others"
            )
        rows = [row_of[problem_id] for problem_id in problem_ids]
        arrays = {name: getattr(self, name)[rows] for name in ("correct", "matched", "finished", "tokens", "answers")}
        return replace(self, problem_ids=list(problem_ids), **arrays)

    def _check_shapes(self) -> None:
        shape = np.shape(self.correct)
        if len(shape) != 2 or 0 in shape or shape[0] != len(self.problem_ids):
            raise ValueError(
                f"correct has shape {shape} for {len(self.problem_ids)} problem ids: [P, n] is needed, not empty"
            )
        for name in ("matched", "finished", "tokens", "answers"):
            if np.shape(getattr(self, name)) != shape:
                raise ValueError(f"{name} has shape {np.shape(getattr(self, name))}: {shape} is needed, as in correct")
        for name in ("correct", "matched", "finished"):
            if getattr(self, name).dtype != bool:
                raise ValueError(f"{name} has type {getattr(self, name).dtype}: bool is needed")
        if not np.issubdtype(self.tokens.dtype, np.integer):
            raise ValueError(f"tokens has type {self.tokens.dtype}: an integer is needed")

    def _check_values(self) -> None:
        if len(set(self.problem_ids)) != len(self.problem_ids):
            raise ValueError(
                f"{len(self.problem_ids)} problem ids, {len(set(self.problem_ids))} different: each may be there once"
            )
        impossible = np.count_nonzero(self.correct & ~(self.matched & self.finished))
        if impossible:
            raise ValueError(
                f"{impossible} responses are correct without being matched and finished: correct implies both"
            )
        shortest, longest = self.tokens.min(), self.tokens.max()
        if shortest < 1 or longest > self.max_tokens:
            raise ValueError(
                f"tokens lie between {shortest} and {longest}: 1 to max_tokens ({self.max_tokens}) is allowed"
            )
        for answer in self.answers.flat:
            if not (answer is None or isinstance(answer, str)):
                raise ValueError(f"an answer is {answer!r} ({type(answer).__name__}): a string or None is needed")


def _complete_grid(problem_ids: Sequence[str], sample_indices: Sequence[int]) -> tuple[list[str], int]:
    """The sorted problem ids and their number of samples; ValueError unless it is the same for all and none repeats."""
    ids, counts = np.unique(np.asarray(problem_ids, dtype=str), return_counts=True)
    if len(ids) == 0:
        raise ValueError("no responses were given: at least one is needed")
    repeated = len(problem_ids) - len(set(zip(problem_ids, sample_indices, strict=True)))
    if repeated:
        raise ValueError(f"{repeated} rows repeat a problem id and sample index: each response may be there once")
    fewest, most = counts.argmin(), counts.argmax()
    if counts[fewest] != counts[most]:
        raise ValueError(
            f"problem {ids[fewest]} has {counts[fewest]} samples and problem {ids[most]} has {counts[most]}: "
            "every problem needs the same number"
        )
    return ids.tolist(), int(counts[0])
