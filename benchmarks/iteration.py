"""Wall-clock and peak memory of one on-policy SFT iteration, beside one GRPO iteration of TRL.

    python -m benchmarks.iteration --trl-python .venv-trl/bin/python --output benchmarks/results/iteration-gpu.json

Ours: `snakemake` samples, verifies, filters and updates, through files, one process a node, and writes the new policy with its
optimiser. TRL: one step of GRPOTrainer on the same prompts, samples and cap, rewarded as the filter selects (right, and finished
within the cap), without and with a reference model (`--betas`); it writes nothing. Both take one step of AdamW. Memory is the device's (on
a CPU that of all processes together), watched from outside. What is prepared once for a sweep, problem sets and the base
model's manifest, is made before and not counted.
"""

import argparse
import pathlib
import sys
import tempfile

import yaml

from benchmarks import record, setting
from benchmarks.child import measure_in_child
from benchmarks.grpo_job import grpo_job
from benchmarks.watch import Watched
from benchmarks.workflow_run import read_runs, run_snakemake
from opsft_flow.configuration.config import engine_for
from opsft_flow.files import read_json
from opsft_flow.places import iteration_folder, policy_manifest, problem_file
from opsft_flow.points import Point

SEED = 0
WORK = (("generate", "sample"), ("verify", "grade"), ("sft", "train"))
"""The node and the phase of what GRPOTrainer.train() does too."""


def overlay_of(config: dict, point: Point, options: argparse.Namespace, results: str) -> dict:
    """An overlay of one point with one iteration and one update, its micro-batches as large as those of GRPO."""
    recipe = config["recipes"][point.recipe]
    block = {
        "models": [point.model],
        "recipes": [point.recipe],
        "budgets": [point.budget],
        "seeds": [point.seed],
        "benchmarks": config["sweep"][0]["benchmarks"],
    }
    sft = {"updates": 1, "epochs": 1, "warmup_updates": 0, "microbatch_tokens": recipe["sft"]["microbatch_tokens"]}
    changed = {"iterations": 1, "rollouts": recipe["rollouts"], "sft": sft}
    overlay = {"results": results, "recipes": {point.recipe: changed}, "sweep": [block]}
    return overlay if options.engine is None else {**overlay, "engine": {"name": options.engine}}


def measure_ours(problems: str, point: Point, overlay: dict, options: argparse.Namespace, folder: pathlib.Path) -> dict:
    """Run the iteration through the workflow; where its time went is read from the sidecars of its nodes.

    Raises ValueError where nothing was kept, for then nothing was trained.
    """
    (folder / "overlay.yaml").write_text(yaml.safe_dump(overlay))
    results = pathlib.Path(overlay["results"])

    def snakemake(*targets: str) -> Watched:
        overlays = [*options.configfile, str(folder / "overlay.yaml")]
        return run_snakemake([results / target for target in targets], overlays, folder / "log")

    snakemake(policy_manifest(point.model, None, 0), problem_file(problems))
    watched = snakemake(policy_manifest(point.model, point, 1))
    iteration = results / iteration_folder(point, 1)
    manifest = read_json(iteration / "policy.json")
    if manifest["copied"]:
        raise ValueError("nothing survived the filter, so nothing was trained: raise --prompts or --budget")
    selection, runs = read_json(iteration / "train" / "filter.json"), read_runs(iteration)
    return {
        "seconds": watched.seconds,
        "peak_memory_mb": watched.peak_memory_mb,
        "nodes": {node: {"seconds": run["seconds"], **run["phases"]} for node, run in runs.items()},
        "work_s": round(sum(runs[node]["phases"][phase] for node, phase in WORK), 2),
        "tokens_sampled": runs["generate"]["tokens"],
        "tokens_trained": manifest["metrics"]["tokens_trained"],
        "reward": round(selection["kept"] / selection["rollouts"], 4),
        "versions": record.versions(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    setting.add_arguments(parser)
    record.add_arguments(parser)
    parser.add_argument("--engine", help="what samples in our iteration (default: the configuration's)")
    parser.add_argument("--trl-python", default=sys.executable, help="the interpreter of TRL's environment")
    parser.add_argument("--trl-vllm", action="store_true", help="let TRL sample with vLLM too, in its own process")
    parser.add_argument("--betas", type=float, nargs="*", default=[0.0, 0.04], help="GRPO's weights of the KL term")
    parser.add_argument("--prompts", type=int, help="default: the recipe's")
    parser.add_argument("--samples", type=int, help="samples per prompt (default: the recipe's)")
    parser.add_argument("--budget", type=int, default=200, help="cap of a response")
    options = parser.parse_args()

    config = setting.load_config(options.configfile)
    name, checkpoint = setting.model_of(config, options.model)
    point = Point(name, config["sweep"][0]["recipes"][0], options.budget, SEED)
    recipe = config["recipes"][point.recipe]
    asked = {"prompts": options.prompts, "samples": options.samples}
    recipe["rollouts"] |= {key: value for key, value in asked.items() if value is not None}
    once = {"warmup_updates": 0, "every": None, "folder": None}
    job = {**grpo_job(config, point, checkpoint, iterations=1, updates=1), **once}
    recipe["sft"]["microbatch_tokens"] = job["microbatch_tokens"]
    with tempfile.TemporaryDirectory() as folder:
        overlay = overlay_of(config, point, options, f"{folder}/results")
        ours = measure_ours(recipe["problems"], point, overlay, options, pathlib.Path(folder))
    parameters = {
        "model": name,
        **recipe["rollouts"],
        "budget": options.budget,
        "microbatch_tokens": job["microbatch_tokens"],
        "grpo_microbatch": job["microbatch"],
    }
    engine = options.engine or engine_for(config, name)["name"]
    rows = [{"method": "on-policy SFT", "sampled_by": engine, **ours}]
    record.write_record(options, "iteration", parameters, rows)
    # Written again after each: where the next fails, what was measured stays.
    for use_vllm in [False, True] if options.trl_vllm else [False]:
        for beta in options.betas:
            measured = measure_in_child(
                "benchmarks.grpo_trl", {**job, "beta": beta, "use_vllm": use_vllm}, options.trl_python
            )
            rows.append(as_row(measured, beta, use_vllm))
            record.write_record(options, "iteration", parameters, rows)


def as_row(measured: dict, beta: float, use_vllm: bool) -> dict:
    """A measurement of GRPO with the keys of ours. Right or wrong, every rollout passes the model: what was sampled is trained on."""
    whole_process, (only,) = measured["process"], measured["iterations"]
    return {
        "method": f"GRPO, beta {beta}",
        "sampled_by": "TRL with vLLM" if use_vllm else "TRL with transformers",
        "seconds": whole_process["seconds"],
        "peak_memory_mb": whole_process["peak_memory_mb"],
        "load_s": measured["load_s"],
        "work_s": only["work_s"],
        "reward": only["reward"],
        "tokens_sampled": only["tokens_sampled"],
        "tokens_trained": only["tokens_sampled"],
        "versions": measured["versions"],
    }


if __name__ == "__main__":
    main()
