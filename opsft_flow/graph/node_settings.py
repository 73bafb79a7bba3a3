"""With which settings each node of a point runs.

The settings of a node are one canonical JSON string: its own blocks of the configuration, the point, and the hash of
the code that it runs. That string is the only tracked parameter of a job, so a job runs again when something that
it uses has changed, and only then.
"""

import json
from collections.abc import Iterable

from opsft.budgets import largest_budget, planned_budget
from opsft.thinking import THINK
from opsft_flow.configuration.config import engine_for
from opsft_flow.configuration.fingerprints import fingerprint
from opsft_flow.configuration.sources import find_local, problem_path
from opsft_flow.graph.code_hash import code_hash
from opsft_flow.graph.own_code import is_own, own_hash
from opsft_flow.graph.sweep import Sweep
from opsft_flow.places import Place, iteration_folder, parse_place
from opsft_flow.points import Point
from opsft_flow.problem_sets import BOXED, GOLDS
from opsft_flow.selection import chosen_rules, rules_code

# Keys of the engine block that only vLLM reads: no reason for another engine to sample again.
VLLM_KEYS = ("gpu_memory_utilization", "kv_cache_memory_mb", "tensor_parallel", "enforce_eager")

# Keys of the sft block that change no result: no reason to train again.
UNTRACKED_SFT_KEYS = ("checkpoint_every", "give_up_after")


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: equal settings give equal strings, however they were written down."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def code_with_verifiers(script: str, verifiers: dict[str, str], modules: Iterable[str] = ()) -> str:
    """The hash of a script, and of the verifiers and other modules that it loads by name.

    `verifiers` maps the keys of the configuration that name them to their names.

    Raises ConfigError where the source of a user's own cannot be had.
    """
    builtin = sorted({f"opsft.verify.{name}" for name in verifiers.values() if not is_own(name)} | set(modules))
    own = sorted({own_hash(name, key) for key, name in verifiers.items() if is_own(name)})
    return "-".join([code_hash(script, tuple(builtin)), *own])


class NodeSettings(Sweep):
    """A sweep, and the settings of the nodes that make and measure its points, each a canonical JSON string."""

    def problem_settings(self, name: str) -> str:
        block = self.config["problems"][name]
        local = None if block["source"].startswith("builtin:") else problem_path(block["source"], block["split"])
        modules, unused, verifiers, limits = [], [], {}, {}
        if block["source"].startswith("builtin:"):
            modules.append(f"opsft.tasks.{block['source'].removeprefix('builtin:')}")
        if block["answer_from"] == "boxed":
            modules.append(BOXED)
        if block["unusable"] == "drop":
            modules.append(GOLDS)
            verifiers[f"problems.{name}.verifier"] = block["verifier"]
            limits["verify"] = self.config["verify"]
        else:
            # Another verifier grades again; it asks no other question, so it samples nothing again.
            unused.append("verifier")
        if not block["remove_overlap"]:
            unused.append("overlap_share")
        return canonical(
            {
                "node": "problems",
                "code": code_with_verifiers("problems", verifiers, modules),
                "name": name,
                **limits,
                "problems": {key: value for key, value in block.items() if key not in unused},
                "fingerprint": fingerprint(local) if local else None,
            }
        )

    def base_settings(self, model: str) -> str:
        block = self.config["models"][model]
        local = find_local(block["source"])
        return canonical(
            {
                "node": "base",
                "code": code_hash("base"),
                "model": {key: block[key] for key in ("source", "revision", "trust_remote_code")},
                "fingerprint": fingerprint(local) if local else None,
            }
        )

    def check_settings(self) -> str:
        """Everything that is looked at before the sweep runs: its problem sets and models, and what must fit what.

        `uses` has a row (model, problem set, cap on the response, context) for each use of a problem set by a model, and `adapters` one
        (model, rank, targets) for each adapter; `draws` says how many problems an iteration takes from a set at once; `overlaps` names, for each training set, those that it is compared with.
        """
        uses, draws, adapters = set(), {}, set()
        for point, benchmarks in self.points.items():
            context, recipe = engine_for(self.config, point.model)["context"], self.recipe(point)
            uses.add((point.model, recipe["problems"], largest_budget(self.schedule(point)), context))
            if lora := recipe["sft"]["lora"]:
                adapters.add((point.model, lora["rank"], tuple(lora["targets"])))
            for name in benchmarks:
                block = self.config["benchmarks"][name]
                uses.add((point.model, block["problems"], block["max_tokens"], context))
            draws[recipe["problems"]] = max(draws.get(recipe["problems"], 0), recipe["rollouts"]["prompts"])
        blocks = {name: self.config["problems"][name] for name in self.problem_sets()}
        models = {name: self.config["models"][name] for name in self.models}
        local = {f"models.{name}": find_local(block["source"]) for name, block in models.items()}
        for name, block in blocks.items():
            if not block["source"].startswith("builtin:"):
                local[f"problems.{name}"] = problem_path(block["source"], block["split"])
        verifiers = {f"problems.{name}.verifier": block["verifier"] for name, block in blocks.items()}
        boxed = [BOXED for block in blocks.values() if block["answer_from"] == "boxed"]
        return canonical(
            {
                "node": "check",
                "code": code_with_verifiers("check", verifiers, boxed),
                "problems": blocks,
                "models": models,
                "fingerprints": {name: fingerprint(path) for name, path in local.items() if path},
                "uses": sorted(uses),
                "adapters": sorted(adapters),
                "engines": {name: engine_for(self.config, name)["name"] for name in models},
                "draws": draws,
                "verify": self.config["verify"],
                "overlaps": self.overlaps(),
                "own_rules": self.own_rules(),
            }
        )

    def own_rules(self) -> list[dict]:
        """The rules of each recipe that has one of the user's own, with the hash of their code."""
        chains = [chosen_rules(self.recipe(point)["filter"]) for point in self.points]
        own = [rules for rules in chains if any(is_own(rule["rule"]) for rule in rules)]
        different = {canonical(rules): rules for rules in own}
        return [{"rules": rules, "code": rules_code("filter", rules)} for rules in different.values()]

    def generate_settings(self, place: str) -> str:
        parsed = parse_place(place)
        block = engine_for(self.config, parsed.model)
        engine = {key: value for key, value in block.items() if block["name"] == "vllm" or key not in VLLM_KEYS}
        remote = self.config["models"][parsed.model]["trust_remote_code"]
        return canonical(
            {
                "node": "generate",
                "code": code_hash("generate", (f"opsft.engines.{engine['name']}",)),
                "place": place,
                "iteration": parsed.iteration,
                "policy": self.sampled_at(parsed),
                "engine": {**engine, "trust_remote_code": remote},
                "plain_prompts": self.config["models"][parsed.model]["plain_prompts"],
                "thinking": self.thinking(parsed.model),
                "rollouts": self.rollout_block(parsed),
            }
        )

    def thinking(self, model: str) -> list[str]:
        """The marks between which a model thinks."""
        return self.config["models"][model]["thinking"] or [*THINK]

    def serving(self) -> str:
        """How engines are kept and shared: no reason to sample again."""
        warm, generate = self.config["warm"], self.config["resources"]["generate"]
        return canonical(
            {
                "engine": warm["engine"],
                "idle_s": warm["idle_s"],
                "engines_per_gpu": generate["engines_per_gpu"],
            }
        )

    def rollout_block(self, place: Place) -> dict:
        """How many responses, under which cap, at which temperature and from which seed.

        `max_tokens` is None where the cap stands in what `budget_inputs` names.
        """
        if place.benchmark:
            block = self.sampling_of(place.benchmark)
            return {"prompts": None, **{key: block[key] for key in block if key != "problems"}}
        # When rollouts are refreshed is told by the policy that is sampled.
        block = {key: value for key, value in self.recipe(place.point)["rollouts"].items() if key != "refresh_every"}
        budget = planned_budget(self.schedule(place.point), place.iteration)
        return {**block, "max_tokens": budget, "seed": place.point.seed}

    def verify_settings(self, place: str) -> str:
        parsed = parse_place(place)
        problems = self.problem_set_of(parsed)
        verifier = self.config["problems"][problems]["verifier"]
        return canonical(
            {
                "node": "verify",
                "code": code_with_verifiers("verify", {f"problems.{problems}.verifier": verifier}),
                "place": place,
                "thinking": self.thinking(parsed.model),
                "verifier": verifier,
                "verify": self.config["verify"],
            }
        )

    def filter_settings(self, point: str, iteration: int) -> str:
        parsed = Point.from_path(point)
        rules, schedule = chosen_rules(self.recipe(parsed)["filter"]), self.schedule(parsed)
        return canonical(
            {
                "node": "filter",
                "code": rules_code("filter", rules),
                "point": vars(parsed),
                "iteration": iteration,
                "filter": rules,
                "budget": planned_budget(schedule, iteration),
                # Only a quantile is taken of what this node measures.
                "schedule": schedule if schedule["kind"] == "quantile" else None,
            }
        )

    def sft_settings(self, point: str, iteration: int) -> str:
        parsed = Point.from_path(point)
        return canonical(
            {
                "node": "sft",
                "code": code_hash("sft"),
                "point": vars(parsed),
                "iteration": iteration,
                "sft": {
                    key: value for key, value in self.recipe(parsed)["sft"].items() if key not in UNTRACKED_SFT_KEYS
                },
                "trust_remote_code": self.config["models"][parsed.model]["trust_remote_code"],
            }
        )

    def sft_limits(self, point: str) -> str:
        """The keys of sft that decide when a node saves or gives up, and nothing of what it computes."""
        block = self.recipe(Point.from_path(point))["sft"]
        return canonical({key: block[key] for key in UNTRACKED_SFT_KEYS})

    def stop_settings(self, point: str, iteration: int) -> str:
        parsed = Point.from_path(point)
        return canonical(
            {
                "node": "stop",
                "code": code_hash("stop"),
                "point": vars(parsed),
                "iteration": iteration,
                "stop": self.stop_rules(parsed),
            }
        )

    def evaluate_settings(self, place: str) -> str:
        benchmark = parse_place(place).benchmark
        return canonical(
            {
                "node": "evaluate",
                "code": code_hash("evaluate"),
                "place": place,
                "max_tokens": self.config["benchmarks"][benchmark]["max_tokens"],
                "evaluate": self.config["evaluate"],
            }
        )

    def track_settings(self, point: str, iteration: int) -> str:
        parsed = Point.from_path(point)
        block = self.benchmarks_of(parsed)
        if "every" not in block:
            # An iteration more is no reason to send the earlier ones again.
            del block["iterations"]
        return canonical(
            {
                "node": "track",
                "code": code_hash("track"),
                "results": self.results,
                "point": vars(parsed),
                **block,
                "iteration": iteration,
                "track": self.config["track"],
                "config": self.config_of(parsed),
            }
        )

    def config_of(self, point: Point) -> dict:
        """All that makes a point, code and weights included, its number of iterations aside: the configuration of its run."""
        recipe = {key: value for key, value in self.recipe(point).items() if key not in ("iterations", "stop")}
        recipe |= {"stop": rules} if (rules := self.stop_rules(point)) else {}
        recipe["sft"] = {key: value for key, value in recipe["sft"].items() if key not in UNTRACKED_SFT_KEYS}
        recipe["filter"] = chosen_rules(recipe["filter"])
        sets = [recipe["problems"], *(self.config["benchmarks"][name]["problems"] for name in self.points[point])]
        return {
            "point": vars(point),
            "budget": self.schedule(point),
            "model": self.config["models"][point.model],
            "recipe": recipe,
            "problems": {name: self.config["problems"][name] for name in sets},
            "benchmarks": {name: self.sampling_of(name) for name in self.points[point]},
            "engine": engine_for(self.config, point.model),
            "verify": self.config["verify"],
            "evaluate": self.config["evaluate"],
            "made_with": self.made_with(point),
        }

    def made_with(self, point: Point) -> dict:
        """The code of every kind of node of a point, that of each benchmark's verifier, and the fingerprint of its base model."""
        first, benchmarks = iteration_folder(point, 1), self.points[point]
        settings = {
            "base": self.base_settings(point.model),
            "generate": self.generate_settings(f"{first}/train"),
            "verify": self.verify_settings(f"{first}/train"),
            "filter": self.filter_settings(point.path, 1),
            "sft": self.sft_settings(point.path, 1),
            "evaluate": self.evaluate_settings(f"{first}/eval/{benchmarks[0]}"),
            **{f"verify {name}": self.verify_settings(f"{first}/eval/{name}") for name in benchmarks},
        }
        parsed = {node: json.loads(text) for node, text in settings.items()}
        return {"weights": parsed["base"]["fingerprint"], "code": {node: part["code"] for node, part in parsed.items()}}
