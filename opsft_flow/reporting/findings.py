"""What a sweep found, in sentences with their intervals, from its tables."""

from collections.abc import Callable

import pandas

from opsft_flow.reporting.costs import POINT
from opsft_flow.reporting.headline import headline

CELL = ["model", "benchmark", "recipe", "budget"]


def findings(
    points: pandas.DataFrame, cuts: pandas.DataFrame, contrasts: pandas.DataFrame, costs: pandas.DataFrame
) -> str:
    """Markdown: for each model and benchmark the base model, then each recipe and budget with all its seeds, then what differs."""
    parts = [
        "# What the sweep found",
        headline(cuts, lambda row: f"{row['recipe']}, {budget_name(row['budget'])}", differences),
    ]
    for (model, benchmark), base in points[points["recipe"] == "base"].groupby(["model", "benchmark"], sort=False):
        own = cuts[(cuts["model"] == model) & (cuts["benchmark"] == benchmark)]
        pairs = contrasts[(contrasts["model"] == model) & (contrasts["benchmark"] == benchmark)]
        lines = [base_sentence(base.iloc[0])]
        lines += [f"- {cell_sentences(rows, costs)}" for _, rows in own.groupby(CELL, sort=False)]
        parts += [f"## {model} on {benchmark}", "\n".join([lines[0], "", *lines[1:]])]
        if len(pairs):
            parts.append("\n".join(f"- {contrast_sentence(row)}" for _, row in pairs.iterrows()))
    return "\n\n".join(parts) + "\n"


def base_sentence(base: pandas.Series) -> str:
    sampled = f"{base['problems']:,.0f} problems, {base['samples']:.0f} {'sample' if base['samples'] == 1 else 'samples'} each"
    drawn = f"at temperature {base['temperature']:g}, at most {base['max_tokens']:,.0f} tokens"
    return f"{sampled}, {drawn}. Base model: {percent(base['accuracy'])}{interval(base, 'accuracy', percent)} at {base['tokens_mean']:,.1f} tokens."


def cell_sentences(rows: pandas.DataFrame, costs: pandas.DataFrame) -> str:
    """After the last iteration, and how soon each cut was reached."""
    last = rows[rows["cut"].isna()].iloc[0]
    seeds = f"{last['seeds']:.0f} {'seed' if last['seeds'] == 1 else 'seeds'}"
    head = f"**{last['recipe']}, {budget_name(last['budget'])}** ({seeds}), after iteration {last['iteration']:.0f}: "
    sentences = [head + differences(last) + ".", curve_sentence(last)]
    if last["updates"] == 0:
        sentences.insert(0, "Nothing survived the filter: this is the base model, without one update.")
    reached = rows[rows["cut"].notna() & rows["iteration"].notna()]
    sentences += [cut_sentence(group, costs) for _, group in reached.groupby("iteration")]
    if missed := cuts_of(rows[rows["cut"].notna() & rows["iteration"].isna()]):
        sentences.append(f"Not reached: {missed}.")
    return " ".join(sentences)


def cuts_of(rows: pandas.DataFrame) -> str:
    return ", ".join(f"-{cut:.0%}" for cut in rows["cut"])


def cut_sentence(rows: pandas.DataFrame, costs: pandas.DataFrame) -> str:
    """The cuts that were reached at one iteration."""
    row = rows.iloc[0]
    took = f"{row['rollouts']:,.0f} rollouts, {row['tokens_sampled']:,.0f} tokens sampled, {row['tokens_trained']:,.0f} trained on"
    seconds = seconds_until(row, costs)
    spent = f", {seconds[0] / 60:,.1f} min of training nodes" if seconds else ""
    spent += f", {seconds[1] / 60:,.1f} min of them on GPUs" if seconds and seconds[1] > 0 else ""
    return f"{cuts_of(rows)} after iteration {row['iteration']:.0f} ({took}{spent} a seed): {differences(row)}."


def seconds_until(row: pandas.Series, costs: pandas.DataFrame) -> tuple[float, float] | None:
    """Seconds of training nodes, and of those on GPUs, up to the row's iteration: the mean over the seeds; None where sidecars are missing."""
    arm = costs["schedule"].where(costs["schedule"].notna(), costs["budget"].astype("Int64").astype(str))
    same = (costs["model"] == row["model"]) & (costs["recipe"] == row["recipe"]) & (arm == str(row["budget"]))
    found = costs[same & (costs["iteration"] == row["iteration"])].drop_duplicates(list(POINT))
    return (found["training_seconds"].mean(), found["gpu_seconds"].mean()) if len(found) else None


def contrast_sentence(row: pandas.Series) -> str:
    if row["first_recipe"] == row["second_recipe"]:
        sides = (
            f"{row['first_recipe']}: **{budget_name(row['second_budget'])}** against {budget_name(row['first_budget'])}"
        )
    else:
        sides = f"{budget_name(row['first_budget'])}: **{row['second_recipe']}** against {row['first_recipe']}"
    return f"{sides}: {differences(row)}. {curve_sentence(row)}"


def differences(row: pandas.Series) -> str:
    """Tokens and accuracy against what the row is compared with."""
    tokens = f"tokens {change_of(row['tokens_ratio'])}{interval(row, 'tokens_ratio', change_of)}"
    accuracy = f"accuracy {points_of(row['accuracy_diff'])} points{interval(row, 'accuracy_diff', points_of)}"
    low, high = row["accuracy_diff_low"], row["accuracy_diff_high"]
    if pandas.isna(low):
        return f"{tokens}, {accuracy}"
    shown = "higher" if low > 0 else "lower" if high < 0 else "no difference shown"
    return f"{tokens}, {accuracy}: {shown}"


def curve_sentence(row: pandas.Series) -> str:
    lowest = f"{points_of(row['curve_lowest'])} points{interval(row, 'curve_lowest', points_of)} at {row['curve_lowest_at']:,.0f} tokens"
    if pandas.isna(row["curve_lowest_low"]):
        return f"The least of its budget curve is {lowest}."
    return (
        f"Its budget curve is higher at {row['curve_above']:.0f} and lower at {row['curve_below']:.0f} of {row['curve_budgets']:.0f} budgets; "
        f"the least is {lowest}."
    )


def budget_name(budget: object) -> str:
    return f"budget {budget}" if str(budget).isdigit() else str(budget)


def interval(row: pandas.Series, name: str, show: Callable[[float], str]) -> str:
    """The interval of an estimate; of one problem alone there is none."""
    low, high = row[f"{name}_low"], row[f"{name}_high"]
    return " (no interval)" if pandas.isna(low) else f" [{show(low)}, {show(high)}]"


def percent(share: float) -> str:
    return f"{share:.1%}"


def change_of(ratio: float) -> str:
    return f"{ratio - 1:+.0%}"


def points_of(difference: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * difference:+.1f}"
