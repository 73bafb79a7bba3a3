"""What a reader must know of a policy before believing its numbers: off-policy, copied, stopped, cut off, or worse."""

import math

import pandas

NOTABLE_CUT_OFF = 0.01
"""Share of responses cut off above which lengths and accuracies are said to be bounds."""


def remarks(last: pandas.Series, trained: pandas.DataFrame) -> list[dict[str, str]]:
    """Remarks on a policy from its row of the points table, and the point's rows of the training table up to it; `kind` is one word."""
    found = [*training_remarks(trained), *length_remarks(last), *against_base(last)]
    return [{"kind": kind, "text": text} for kind, text in found]


def training_remarks(trained: pandas.DataFrame) -> list[tuple[str, str]]:
    found, reasons, last = [], [], trained.iloc[-1]
    end = last["stopped_after"] if known(last, "stopped") else math.inf
    trained = trained[trained["iteration"] <= end]
    if known(last, "updates_per_batch") and last["updates_per_batch"] > 1:
        reasons.append(f"{last['updates_per_batch']:.0f} updates for each batch of rollouts")
    if known(last, "train_temperature") and last["train_temperature"] != 1:
        reasons.append(f"rollouts at temperature {last['train_temperature']:g}")
    if "policy_lag" in trained and (lag := max(trained["policy_lag"].dropna(), default=0)) > 0:
        reasons.append(f"rollouts of a policy that was up to {lag:.0f} iteration{'s' if lag > 1 else ''} old")
    if reasons:
        found.append(("off-policy", f"{' and '.join(reasons)}; the log-prob gap measures how far that led."))
    if known(last, "stopped"):
        found.append(
            ("stopped", f"Stopped after iteration {end:.0f} by the rule {last['stopped']}: {last['stopped_because']}")
        )
    if "copied" in trained and (copied := trained[trained["copied"].eq(True)]["iteration"].tolist()):
        numbers = ", ".join(f"{i:.0f}" for i in copied)
        found.append(("copied", f"Nothing was kept in iteration {numbers}: the policy is its parent."))
    return found


def length_remarks(last: pandas.Series) -> list[tuple[str, str]]:
    if not known(last, "truncated") or last["truncated"] < NOTABLE_CUT_OFF:
        return []
    return [
        (
            "cut off",
            f"{last['truncated']:.1%} of the responses reached the cap: the mean length is too small, and the accuracy a lower bound.",
        )
    ]


def against_base(last: pandas.Series) -> list[tuple[str, str]]:
    """What the paired interval shows of the accuracy; nothing where it holds zero."""
    if known(last, "accuracy_diff_high") and last["accuracy_diff_high"] < 0:
        return [("worse", "Less accurate than the base model: the paired interval lies below zero.")]
    if known(last, "accuracy_diff_low") and last["accuracy_diff_low"] > 0:
        return [("better", "More accurate than the base model: the paired interval lies above zero.")]
    return []


def known(row: pandas.Series, name: str) -> bool:
    return name in row and not pandas.isna(row[name])
