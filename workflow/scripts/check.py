"""Look at everything that sampling will need, before anything is sampled.

Every prompt must leave room in its context, and a problem set must have as many problems as an iteration draws.

`--results` is the results folder; the manifests and problem sets in it are this node's inputs.
"""

from opsft.prompts import encode, render
from opsft.tokenizer import load_tokenizer
from opsft_flow.files import write_json
from opsft_flow.node import node
from opsft_flow.places import policy_manifest, problem_file
from opsft_flow.policy import checkpoint_of
from opsft_flow.tables import PROBLEM, read_table


def longest_prompt(tokenizer, rows: list[dict]) -> tuple[int, str]:
    """Tokens and id of the longest prompt of a problem set."""
    return max((len(encode(tokenizer, render(tokenizer, row["prompt"]))), row["problem_id"]) for row in rows)


def main() -> None:
    with node(__doc__, inputs=("results",), outputs=("checked",)) as job:
        checked, tokenizers = [], {}
        for problems, prompts in job.settings["draws"]:
            count = len(read_table(f"{job.results}/{problem_file(problems)}", PROBLEM, ["problem_id"]))
            if prompts > count:
                raise ValueError(
                    f"problem set {problems!r} has {count} problems; an iteration draws {prompts} (rollouts.prompts)"
                )
        for model, problems, context in job.settings["contexts"]:
            if model not in tokenizers:
                checkpoint = checkpoint_of(f"{job.results}/{policy_manifest(model, None, 0)}")
                remote = job.settings["trust_remote_code"][model]
                tokenizers[model] = load_tokenizer(checkpoint, remote)
            rows = read_table(f"{job.results}/{problem_file(problems)}", PROBLEM)
            longest, problem_id = longest_prompt(tokenizers[model], rows)
            if longest >= context:
                raise ValueError(
                    f"problem set {problems!r}: the prompt of problem {problem_id} has {longest} tokens of model {model!r}; "
                    f"that leaves no room for a response in engine.context, {context}"
                )
            checked.append({"model": model, "problems": problems, "longest_prompt": longest, "context": context})
            print(f"{model} on {problems}: the longest prompt has {longest} of {context} tokens", flush=True)
        write_json(job.checked, checked)


if __name__ == "__main__":
    main()
