"""Select the rollouts to train on, and measure the batch before and after.

`--before` is the filter.json of the iteration before, where the budget stands in it, or `none` where it is known from the plan.
"""

from opsft.budgets import next_budget
from opsft.selection.interface import Group, select
from opsft.selection.statistics import describe, duplicate_share, sampled_entropy
from opsft_flow.files import read_json, write_json
from opsft_flow.node import Node, node
from opsft_flow.rollout_groups import read_groups, selected_table
from opsft_flow.rule_chain import label_of, loaded
from opsft_flow.tables import ROLLOUT, digests, read_arrow, write_arrow


def budget_facts(job: Node, groups: dict[str, Group]) -> dict:
    """The budget of this iteration and, where a schedule finds it in what is measured here, that of the next."""
    budget, schedule = job.settings["budget"], job.settings["schedule"]
    if budget is None:
        budget = read_json(job.before)["next_budget"]
    if schedule is None:
        return {"budget": budget}
    right = [length for group in groups.values() for length in group.tokens[group.correct & group.finished].tolist()]
    unfinished = [unfinished for group in groups.values() for unfinished in (~group.finished).tolist()]
    truncated = sum(unfinished) / len(unfinished) if unfinished else 0.0
    return {"budget": budget, "next_budget": next_budget(schedule, budget, right, truncated)}


def monitors(path: str, kept: dict, samples: dict) -> tuple[float | None, float | None]:
    """The entropy of the sampled tokens, and the share of the kept responses that equal another one to the same prompt."""
    rows = read_arrow(path, ROLLOUT, ["problem_id", "sample", "tokens", "logprob"]).to_pydict()
    keys = zip(rows["problem_id"], rows["sample"], strict=True)
    digest_of = dict(zip(keys, digests(path, "response_ids"), strict=True))
    chosen = [(key, digest_of[key, int(samples[key][i])]) for key, pairs in kept.items() for i, _ in pairs]
    return sampled_entropy(rows["logprob"], rows["tokens"]), duplicate_share(chosen)


def as_text(value: float | None) -> str:
    return "none" if value is None else f"{value:.1f}"


def main() -> None:
    with node(__doc__, inputs=("before", "rollouts", "verdicts"), outputs=("selected", "statistics")) as job:
        rules, seed = job.settings["filter"], (job.settings["point"]["seed"], job.settings["iteration"])
        with job.phase("read"):
            groups, samples = read_groups(job.rollouts, job.verdicts)
        with job.phase("select"):
            budget = budget_facts(job, groups)
            kept = select(loaded(rules), groups, budget["budget"], seed)
            statistics = describe(groups, kept)
        with job.phase("monitor"):
            entropy, duplicates = monitors(job.rollouts, kept, samples)
            statistics["before"]["entropy"] = entropy
            statistics["after"]["duplicates"] = duplicates
        with job.phase("write"):
            write_arrow(job.selected, selected_table(kept, samples))
            write_json(job.statistics, {**statistics, **budget, "rule": label_of(rules)})
        before, after = statistics["before"]["tokens_mean"], statistics["after"]["tokens_mean"]
        print(f"{statistics['kept']:,} of {statistics['rollouts']:,} rollouts kept")
        print(f"mean tokens: {as_text(before)} before, {as_text(after)} after")


if __name__ == "__main__":
    main()
