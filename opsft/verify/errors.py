"""What can go wrong while grading, by name."""


class UnparseableGold(ValueError):
    """The verifier cannot read the gold answer."""


class UnparseableAnswer(ValueError):
    """The verifier cannot read the answer of a response."""


class UnevaluatedAnswer(ValueError):
    """The answer has the gold's value, but is arithmetic left undone."""


class VerifierBroken(RuntimeError):
    """The verifier does not grade its own self-test right, its workers cannot be kept alive, or it is the user's own and fails."""


class OwnVerifierFailed(VerifierBroken, ValueError):
    """A verifier of the user's own raised what it may not, or returned neither True nor False; the message shows where."""
