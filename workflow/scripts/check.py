"""Look at everything that sampling will need, before anything is sampled: every prompt must fit its context.

`--results` is the results folder; the manifests and problem sets in it are this node's inputs.
"""

from opsft.prompts import encode, render
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
        with job.phase("imports"):
            from transformers import AutoTokenizer
        checked, tokenizers, tables = [], {}, {}
        for model, problems, max_tokens, context in job.settings["uses"]:
            if model not in tokenizers:
                tokenizers[model] = AutoTokenizer.from_pretrained(
                    checkpoint_of(f"{job.results}/{policy_manifest(model, None, 0)}"),
                    trust_remote_code=job.settings["trust_remote_code"][model],
                )
            if (model, problems) not in tables:
                rows = read_table(f"{job.results}/{problem_file(problems)}", PROBLEM)
                tables[model, problems] = longest_prompt(tokenizers[model], rows)
            longest, problem_id = tables[model, problems]
            if longest + max_tokens > context:
                raise ValueError(
                    f"problem set {problems!r}: the prompt of problem {problem_id} has {longest} tokens of model {model!r}; "
                    f"with {max_tokens} for the response that is more than engine.context, {context}"
                )
            checked.append({"model": model, "problems": problems, "max_tokens": max_tokens, "longest_prompt": longest})
            print(
                f"{model} on {problems}: longest prompt {longest}, response {max_tokens}, context {context}", flush=True
            )
        write_json(job.checked, checked)


if __name__ == "__main__":
    main()
