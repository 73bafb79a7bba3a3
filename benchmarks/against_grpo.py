"""On-policy SFT through the workflow against TRL's GRPO: length and accuracy against time, peak memory, and the time to reach -40% of the tokens.

    python -m benchmarks.against_grpo --configfile benchmarks/against-grpo-toy.yaml --budget 24 --iterations 6 --every 1 \\
        --betas 0 0.04 --seeds 0 1 2 --trl-python .venv-trl/bin/python --output benchmarks/results/against-grpo-toy.json

GRPO is rewarded as the filter selects (right, and finished within the cap), and has the same prompts in each iteration, samples, caps, updates a
rollout batch, AdamW, learning rate and warm-up. Its loss, clipping and advantages are as TRL ships them. `--grpo-lrs` gives it other learning rates, too.

Each run is by itself on the machine and measures no policy meanwhile; those that it leaves are measured after it, all in the same way: the engine, benchmark,
verifier and estimators of the configuration, paired with the base model. Two clocks:

- `seconds`: since the command was started, until the policy was there. Of the workflow this holds Snakemake's own start, processes, and files.
- `work_s`: of these, sampling, grading, selecting and updating; of GRPO, all since its model was loaded. This is the time of the method.

The record is written after each run. Runs that it has already are not repeated, and a record with other parameters is refused.
"""

import argparse
import os
import pathlib
import sys
import tempfile
from dataclasses import asdict

from benchmarks import record, setting
from benchmarks.child import measure_in_child
from benchmarks.grpo_claims import OURS, Arm, report
from benchmarks.grpo_figure import against_time
from benchmarks.grpo_job import caps, grpo_job
from benchmarks.grpo_run import train_by_grpo
from benchmarks.workflow_run import overlay_of, train_policies
from opsft_flow.configuration.config import engine_for
from opsft_flow.figures import save
from opsft_flow.files import read_json
from opsft_flow.points import Point


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setting.add_arguments(parser)
    record.add_arguments(parser)
    parser.add_argument("--budget", required=True, help="cap of a response, or a schedule of the configuration")
    parser.add_argument("--iterations", type=int, default=10, help="rollout batches")
    parser.add_argument("--every", type=int, default=1, help="iterations between two policies that are measured")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--betas", type=float, nargs="*", default=[0.0, 0.04], help="GRPO's weights of the KL term")
    parser.add_argument(
        "--grpo-lrs", type=float, nargs="*", default=[], help="GRPO's learning rates beside the recipe's"
    )
    parser.add_argument(
        "--microbatch-tokens", type=int, help="tokens that pass the model at once, of both (default: the recipe's)"
    )
    parser.add_argument("--trl-python", default=sys.executable, help="the interpreter of TRL's environment")
    parser.add_argument("--trl-vllm", action="store_true", help="let TRL sample with vLLM, in its own process")
    parser.add_argument(
        "--figure", type=pathlib.Path, help="where the figure goes, without .svg and .png (default: beside the record)"
    )
    options = parser.parse_args()
    options.budget = int(options.budget) if options.budget.isdecimal() else options.budget
    return options


class Comparison:
    """What all runs of one record have in common: configuration, model, recipe and benchmark, those of the first block of the sweep."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.config = setting.load_config(options.configfile)
        self.model, self.checkpoint = setting.model_of(self.config, options.model)
        self.block = self.config["sweep"][0]
        self.recipe_name, self.benchmark = self.block["recipes"][0], self.block["benchmarks"][0]
        self.recipe = self.config["recipes"][self.recipe_name]
        if options.microbatch_tokens:
            self.recipe["sft"]["microbatch_tokens"] = options.microbatch_tokens

    def arms(self) -> list[Arm]:
        """What is compared: on-policy SFT, and GRPO with every weight of the KL term and learning rate."""
        lrs = dict.fromkeys([self.recipe["sft"]["lr"], *self.options.grpo_lrs])
        ours = Arm(OURS, None, self.recipe["sft"]["lr"])
        return [ours, *(Arm("GRPO", beta, lr) for lr in lrs for beta in self.options.betas)]

    def job(self, seed: int) -> dict:
        """The job of GRPO with one seed."""
        point = Point(self.model, self.recipe_name, self.options.budget, seed)
        updates = self.recipe["sft"]["updates"] * self.recipe["sft"]["epochs"]
        return grpo_job(self.config, point, self.checkpoint, self.options.iterations, updates)

    def parameters(self) -> dict:
        """What a run's numbers depend on, its arm and seed aside."""
        point, sft = Point(self.model, self.recipe_name, self.options.budget, self.options.seeds[0]), self.recipe["sft"]
        budgets, _ = caps(self.config, point, self.options.iterations)
        grpo_engine = "TRL with vLLM" if self.options.trl_vllm else "TRL with transformers"
        return {
            "model": self.model,
            "recipe": self.recipe_name,
            "budgets": budgets,
            "every": self.options.every,
            **self.recipe["rollouts"],
            **{
                key: sft[key]
                for key in ("lr", "warmup_updates", "updates", "epochs", "normaliser", "microbatch_tokens")
            },
            "engine": engine_for(self.config, self.model)["name"],
            "grpo_engine": grpo_engine,
            "benchmark": self.config["benchmarks"][self.benchmark],
            "problems": self.config["problems"][self.config["benchmarks"][self.benchmark]["problems"]],
        }

    def run(self, arm: Arm, seed: int) -> dict:
        """Train with one seed, then measure the base model and what the run has left."""
        load = round(os.getloadavg()[0], 2)
        with tempfile.TemporaryDirectory() as name:
            whole, rows, policies = self.train(arm, seed, pathlib.Path(name))
            folders = [(0, str(self.checkpoint)), *((i, str(path)) for i, path in policies.items())]
            job = {"configfile": self.options.configfile, "model": self.model, "benchmark": self.benchmark}
            found = measure_in_child("benchmarks.measure_policies", {**job, "policies": folders})
        measured = {row["iteration"]: row for row in found["policies"]}
        trained = [{**row, **measured.pop(row["iteration"], {})} for row in rows]
        return {**asdict(arm), "seed": seed, "load_before": load, **whole, "base": measured[0], "iterations": trained}

    def train(self, arm: Arm, seed: int, folder: pathlib.Path) -> tuple[dict, list[dict], dict[int, pathlib.Path]]:
        """The run as a whole, its iterations, and the policies that it has left in `folder`."""
        options = self.options
        if arm.method == "GRPO":
            job = self.job(seed)
            optimizer = {**job["optimizer"], "learning_rate": arm.lr}
            asked = {"beta": arm.beta, "optimizer": optimizer, "use_vllm": options.trl_vllm, "every": options.every}
            return train_by_grpo({**job, **asked}, folder, options.trl_python)
        point = Point(self.model, self.recipe_name, options.budget, seed)
        overlay = overlay_of(point, self.block, self.recipe, options.iterations, options.every)
        watched, rows, policies = train_policies(self.recipe["problems"], point, overlay, options.configfile, folder)
        return {"peak_memory_mb": watched.peak_memory_mb, "versions": record.versions()}, rows, policies


def finished_runs(output: pathlib.Path, parameters: dict) -> list[dict]:
    """The runs of a record that is there already. Raises ValueError where it is one of other parameters, or of another machine."""
    if not output.exists():
        return []
    found = read_json(output)
    theirs = {**found["parameters"], "hardware": found["hardware"]}
    ours = {**parameters, "hardware": record.hardware()}
    differ = sorted(key for key in {*theirs, *ours} if theirs.get(key) != ours.get(key))
    if differ:
        raise ValueError(
            f"{output}: holds runs with another {', '.join(differ)}; give --output another file, or remove it"
        )
    return found["measurements"]


def main() -> None:
    options = parse_options()
    comparison = Comparison(options)
    parameters = comparison.parameters()
    runs = finished_runs(options.output, parameters)
    done = {(Arm.of(run), run["seed"]) for run in runs}
    for seed in options.seeds:
        for arm in comparison.arms():
            if (arm, seed) not in done:
                runs.append(comparison.run(arm, seed))
                record.write_record(options, "against_grpo", parameters, runs)
    save(against_time(runs), options.figure or options.output.with_suffix(""))
    print(report(runs))


if __name__ == "__main__":
    main()
