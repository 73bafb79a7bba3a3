"""What each node of a sweep reads and with which settings it runs.

The settings of a node are one canonical JSON string: its own blocks of the configuration, the point, and the hash of
the code that it runs. That string is the only tracked parameter of a job, so a job runs again when something that
it uses has changed, and only then.
"""

import json
import os
import pathlib
import re
from collections.abc import Iterable

from opsft.budgets import largest_budget, planned_budget
from opsft_flow.code_hash import code_hash
from opsft_flow.config import engine_for, resolve, schedule_of, stop_rules
from opsft_flow.decisions import decision_file, files_read
from opsft_flow.files import read_json
from opsft_flow.own_code import is_own, own_hash
from opsft_flow.page.build import assets_hash
from opsft_flow.places import (
    Place,
    iteration_folder,
    measured_on,
    parse_place,
    policy_manifest,
    problem_file,
    sampled_policy,
    shard_file,
)
from opsft_flow.points import Point, expand_sweep
from opsft_flow.problem_sets import BOXED, GOLDS
from opsft_flow.selection import chosen_rules, rules_code
from opsft_flow.sources import check_model, check_problems, find_local, fingerprint, problem_path
from opsft_flow.stops import Gate, gates_of

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


class Plan:
    """The resolved configuration, its points, and the settings of every node.

    Raises ConfigError where the configuration cannot be run.
    """

    def __init__(self, config: dict) -> None:
        self.config = resolve(config)
        self.results = os.path.normpath(os.path.expanduser(self.config["results"]))
        self.summary = "/".join(filter(None, ["summary", self.config["summary"]["name"]]))
        self.points = expand_sweep(self.config["sweep"])
        self.models = list(dict.fromkeys(point.model for point in self.points))
        self.benchmarks = {
            model: list(dict.fromkeys(b for p, names in self.points.items() if p.model == model for b in names))
            for model in self.models
        }
        self.gates: dict[Point, dict[int, Gate]] = {}
        for name in self.models:
            check_model(name, self.config["models"][name]["source"])
        for name in self.problem_sets():
            block = self.config["problems"][name]
            check_problems(name, block["source"], block["split"])
            if is_own(block["verifier"]):
                own_hash(block["verifier"], f"problems.{name}.verifier")

    def path(self, relative: str) -> str:
        """A path of the results tree, seen from the working directory."""
        return f"{self.results}/{relative}"

    def recipe(self, point: Point) -> dict:
        return self.config["recipes"][point.recipe]

    def iterations(self, point: Point) -> range:
        return range(1, self.recipe(point)["iterations"] + 1)

    def benchmarks_of(self, point: Point) -> dict:
        """A point's iterations and benchmarks, and how often those are measured that are not after each iteration."""
        names = list(self.points[point])
        every = {name: k for name in names if (k := self.config["benchmarks"][name]["every"]) > 1}
        iterations = self.recipe(point)["iterations"]
        return {"iterations": iterations, "benchmarks": names, **({"every": every} if every else {})}

    def sampling_of(self, benchmark: str) -> dict:
        """The block of a benchmark, but for when it is measured."""
        return {key: value for key, value in self.config["benchmarks"][benchmark].items() if key != "every"}

    def schedule(self, point: Point) -> dict:
        """The budget schedule of a point."""
        return schedule_of(self.config, point.budget)

    def sampled_at(self, place: Place) -> int:
        """The number of the policy that is sampled at a place."""
        if place.benchmark:
            return place.iteration
        return sampled_policy(place.iteration, self.recipe(place.point)["rollouts"]["refresh_every"])

    def problem_sets(self) -> list[str]:
        """Names of the problem sets that the sweep uses."""
        train = [self.recipe(point)["problems"] for point in self.points]
        tests = [self.config["benchmarks"][name]["problems"] for names in self.benchmarks.values() for name in names]
        apart = [other for name in [*train, *tests] for other in self.config["problems"][name]["remove_overlap"]]
        return list(dict.fromkeys([*train, *tests, *apart]))

    def overlaps(self) -> dict[str, list[str]]:
        """The problem sets of the benchmarks that each training set is measured on, by the training set."""
        found: dict[str, dict[str, None]] = {}
        for point, names in self.points.items():
            tests = {self.config["benchmarks"][name]["problems"]: None for name in names}
            found.setdefault(self.recipe(point)["problems"], {}).update(tests)
        return {train: [name for name in tests if name != train] for train, tests in found.items()}

    def problem_set_of(self, place: Place) -> str:
        if place.benchmark:
            return self.config["benchmarks"][place.benchmark]["problems"]
        return self.recipe(place.point)["problems"]

    # Patterns of the targets: a name that is not in the sweep matches none, so Snakemake has no rule for it.

    def point_pattern(self) -> str:
        return "|".join(re.escape(point.path) for point in self.points)

    def place_pattern(self) -> str:
        places = [re.escape(place) for place in self.base_places()]
        for point, names in self.points.items():
            benchmarks = "|".join(map(re.escape, names))
            places.append(f"{re.escape(point.path)}/iter[1-9][0-9]*/(?:train|eval/(?:{benchmarks}))")
        return "|".join(places)

    def packages(self) -> dict[str, str]:
        """The packages that not every sweep needs, and which key needs each."""
        needed = {}
        for model in self.models:
            if engine_for(self.config, model)["name"] == "vllm":
                needed["vllm"] = f"the engine of model {model} is vllm"
        for name in dict.fromkeys(point.recipe for point in self.points):
            block = self.config["recipes"][name]["sft"]
            if block["lora"]:
                needed["peft"] = f"recipes.{name}.sft.lora is set"
            if block["optimizer"] == "adamw_8bit":
                needed["torchao"] = f"recipes.{name}.sft.optimizer is adamw_8bit"
        return needed

    # Inputs of the nodes, as paths from the working directory.

    def policy_of(self, place: str) -> str:
        parsed = parse_place(place)
        return self.path(policy_manifest(parsed.model, parsed.point, self.sampled_at(parsed)))

    def budget_inputs(self, place: str) -> list[str]:
        """What the budget of a place is found in, where it is not known before the iteration before has been measured."""
        parsed = parse_place(place)
        if parsed.benchmark or planned_budget(self.schedule(parsed.point), parsed.iteration) is not None:
            return []
        return [self.path(f"{iteration_folder(parsed.point, parsed.iteration - 1)}/train/filter.json")]

    def problems_of(self, place: str) -> str:
        return self.path(problem_file(self.problem_set_of(parse_place(place))))

    def sets_apart(self, name: str) -> list[str]:
        """The prepared problem sets that a problem set is kept apart from."""
        return [self.path(problem_file(other)) for other in self.config["problems"][name]["remove_overlap"]]

    def shards_of(self, place: str) -> int:
        """Into how many shards the sampling of a place is cut.

        A place that has been sampled with the same settings, or begun to be, keeps its number: another one is no
        reason to sample again, but would be taken for one, since Snakemake compares the names of a job's inputs.
        """
        folder = pathlib.Path(self.path(place))
        if folder.exists():
            settings = self.generate_settings(place)
            for sidecar in [*folder.glob("rollouts.run.json"), *sorted(folder.glob("shards/*.run.json"))]:
                made = read_json(sidecar)
                if canonical(made["settings"]) == settings:
                    return made["run"]["shards"]
        return self.config["resources"]["generate"]["shards"]

    def shard_files(self, place: str) -> list[str]:
        """The rollouts of a place's shards, each with its sidecar; none where one job samples them all."""
        shards = self.shards_of(place)
        files = [shard_file(place, i, shards) for i in range(1, shards + 1)] if shards > 1 else []
        return [self.path(name) for file in files for name in (file, file.replace(".parquet", ".run.json"))]

    def sampling_inputs(self, place: str) -> dict[str, str | list[str]]:
        """What a place is sampled with, by name; `stopped` is empty without stop rules."""
        return {
            "policy": self.policy_of(place),
            "problems": self.problems_of(place),
            "budget": self.budget_inputs(place),
            "stopped": self.stopped_before(place),
        }

    def generate_inputs(self, place: str) -> dict[str, str | list[str]]:
        """What makes the rollouts of a place: with `shards`, they are only put together; `measured` is empty without stop rules."""
        own = {"shards": self.shard_files(place), "measured": self.measured_before(place)}
        return {**self.sampling_inputs(place), **own}

    def parent_policy(self, point: str, iteration: int) -> str:
        parsed = Point.from_path(point)
        return self.path(policy_manifest(parsed.model, parsed, iteration - 1))

    def base_place(self, place: str) -> str | None:
        """The place of the base model's evaluation on the same benchmark; None for the base model itself."""
        parsed = parse_place(place)
        return None if parsed.point is None else Place(parsed.model, None, 0, parsed.benchmark).path

    def base_places(self) -> list[str]:
        return [Place(model, None, 0, name).path for model, names in self.benchmarks.items() for name in names]

    # Stop rules. Where none is set, and no decision lies on disk, they add nothing to the graph.

    def stop_rules(self, point: Point) -> dict[str, dict]:
        return stop_rules(self.recipe(point))

    def gate(self, point: Point, iteration: int) -> Gate:
        """What stands before the training of an iteration: as it was when the graph was made, whatever has been run since."""
        if point not in self.gates:
            self.gates[point] = gates_of(self, point)
        return self.gates[point].get(iteration, Gate.NONE)

    def decided(self, point: Point) -> list[int]:
        """The iterations of a point whose training waits for a decision to stop."""
        return [i for i in self.iterations(point) if self.gate(point, i) is not Gate.NONE]

    def decision(self, point: str, iteration: int) -> list[str]:
        """The decision that the training of an iteration waits for, if any."""
        if self.gate(Point.from_path(point), iteration) is Gate.NONE:
            return []
        return [decision_file(self.path(point), iteration)]

    def undecided_pattern(self) -> str:
        """Matches the folders of the iterations whose decision is to be taken; without any, nothing."""
        folders = [
            iteration_folder(point, i)
            for point in self.points
            for i in self.decided(point)
            if self.gate(point, i) is Gate.OPEN
        ]
        return "|".join(map(re.escape, folders)) or "(?!)"

    def stop_inputs(self, point: str, iteration: int) -> list[str]:
        """What a decision rests on: the one before it, statistics of batches, and evaluations."""
        parsed = Point.from_path(point)
        batches, evaluations = files_read(self.stop_rules(parsed), self.path(point), iteration)
        return [*self.decision(point, iteration - 1), *batches, *(f for files in evaluations.values() for f in files)]

    def measured_before(self, place: str) -> list[str]:
        """The last rollouts on a benchmark before these, which stand for these where the point has stopped by then; only where it may have."""
        parsed = parse_place(place)
        if parsed.benchmark is None or not self.may_have_stopped(parsed):
            return []
        last = self.last_measured(parsed)
        before = Place(parsed.model, parsed.point if last else None, last, parsed.benchmark)
        return [self.path(f"{before.path}/rollouts.parquet")]

    def stopped_before(self, place: str) -> list[str]:
        """The manifest that says whether a point has stopped, where it may have and another policy than that is sampled.

        In training it is the last policy's. On a benchmark, the one after the policy that was measured last: were that
        one trained, what was measured would be of another policy than is sampled here.
        """
        parsed = parse_place(place)
        if not self.may_have_stopped(parsed):
            return []
        following = self.last_measured(parsed) + 1 if parsed.benchmark else parsed.iteration - 1
        manifest = self.path(policy_manifest(parsed.model, parsed.point, following))
        return [manifest] if manifest != self.policy_of(place) else []

    def may_have_stopped(self, place: Place) -> bool:
        """True where a decision stands before the training of the last policy that a place waits for."""
        last = place.iteration if place.benchmark else place.iteration - 1
        return place.point is not None and bool(self.decision(place.point.path, last))

    def last_measured(self, place: Place) -> int:
        """The number of the policy that a point was measured on a benchmark with, the last before that of `place`; 0 for the base model."""
        every = self.config["benchmarks"][place.benchmark]["every"]
        return (place.iteration - 1) // every * every

    def measurements(self, point: Point, after: int = 0, through: int | None = None) -> list[str]:
        """What filter, sft and evaluate measured in each iteration of a point after iteration `after`, up to `through`."""
        files, block = [], self.benchmarks_of(point)
        for i in self.iterations(point)[after:through]:
            folder = iteration_folder(point, i)
            files += [f"{folder}/train/filter.json", f"{folder}/policy.json"]
            files += [f"{folder}/eval/{name}/metrics.json" for name in measured_on(block, i)]
        return [self.path(file) for file in files]

    def base_metrics(self, point: str) -> list[str]:
        """The base model's metrics on the benchmarks of a point."""
        parsed = Point.from_path(point)
        return [self.path(f"{Place(parsed.model, None, 0, name).path}/metrics.json") for name in self.points[parsed]]

    def shared(self) -> list[str]:
        """What more than one point can need: the problem sets, and the base models' metrics."""
        return [*(self.path(problem_file(name)) for name in self.problem_sets()), *self.all_base_metrics()]

    def every_result(self) -> list[str]:
        """A file of every node before the tables, all of them targets.

        Snakemake does not make a file again that is missing where what was made of it is there. A node that fails leaves such a
        gap, for its old result is deleted and forgotten, and behind the gap what was made with older settings.
        """
        files = [*map(problem_file, self.problem_sets()), *(policy_manifest(model, None, 0) for model in self.models)]
        files += [f"{place}/{table}.parquet" for place in self.base_places() for table in ("rollouts", "verdicts")]
        decisions = []
        for point in self.points:
            block = self.benchmarks_of(point)
            for i in self.iterations(point):
                places = [Place(point.model, point, i, name).path for name in (None, *measured_on(block, i))]
                files += [f"{place}/{table}.parquet" for place in places for table in ("rollouts", "verdicts")]
                decisions += self.decision(point.path, i)
        return [*map(self.path, files), *decisions, *self.summary_inputs(), *self.tracked()]

    def all_base_metrics(self) -> list[str]:
        return [self.path(f"{place}/metrics.json") for place in self.base_places()]

    def summary_inputs(self) -> list[str]:
        return self.all_base_metrics() + [file for point in self.points for file in self.measurements(point)]

    def comparison_inputs(self) -> list[str]:
        """Rollouts and verdicts of the base models, and of every point after its last iteration."""
        places = self.base_places()
        for point, names in self.points.items():
            places += [Place(point.model, point, self.iterations(point)[-1], name).path for name in names]
        return [self.path(f"{place}/{table}.parquet") for place in places for table in ("rollouts", "verdicts")]

    def tracked_iterations(self, point: Point) -> list[int]:
        """The iterations after which the point's run is brought up to date: each when online, else the last."""
        every = list(self.iterations(point))
        return every if self.config["track"]["mode"] == "online" else every[-1:]

    def tracked(self) -> list[str]:
        """The last tracking node of every point."""
        return [self.path(f"{iteration_folder(p, self.tracked_iterations(p)[-1])}/tracked.json") for p in self.points]

    def track_inputs(self, point: str, iteration: int) -> dict[str, list[str]]:
        """What brings the run of a point up to an iteration: what was measured since the tracking node before it.

        That one must have ended, for a run has never two writers; what it read need not be named again.
        """
        parsed = Point.from_path(point)
        before = max((i for i in self.tracked_iterations(parsed) if i < iteration), default=0)
        return {
            "base": self.base_metrics(point),
            "measured": self.measurements(parsed, before, iteration),
            "before": [self.path(f"{point}/iter{before}/tracked.json")] if before else [],
        }

    # Settings of the nodes, each a canonical JSON string.

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

        `uses` has a row (model, problem set, cap on the response, context) for each use of a problem set by a model; `draws` says
        how many problems an iteration takes from a set at once; `overlaps` names, for each training set, those that it is compared with.
        """
        uses, draws = set(), {}
        for point, benchmarks in self.points.items():
            context, recipe = engine_for(self.config, point.model)["context"], self.recipe(point)
            uses.add((point.model, recipe["problems"], largest_budget(self.schedule(point)), context))
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
                "draws": draws,
                "verify": self.config["verify"],
                "overlaps": self.overlaps(),
            }
        )

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
                "rollouts": self.rollout_block(parsed),
            }
        )

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
        problems = self.problem_set_of(parse_place(place))
        verifier = self.config["problems"][problems]["verifier"]
        return canonical(
            {
                "node": "verify",
                "code": code_with_verifiers("verify", {f"problems.{problems}.verifier": verifier}),
                "place": place,
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

    def sft_limits(self, point: str) -> str:
        """The keys of sft that decide when a node saves or gives up, and nothing of what it computes."""
        block = self.recipe(Point.from_path(point))["sft"]
        return canonical({key: block[key] for key in UNTRACKED_SFT_KEYS})

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

    def summary_settings(self) -> str:
        points = [
            {
                **vars(point),
                **self.benchmarks_of(point),
                "train_temperature": self.recipe(point)["rollouts"]["temperature"],
                "refresh_every": self.recipe(point)["rollouts"]["refresh_every"],
                "updates_per_batch": self.recipe(point)["sft"]["updates"] * self.recipe(point)["sft"]["epochs"],
            }
            for point in self.points
        ]
        return canonical(
            {
                "node": "summary",
                "code": code_hash("summary"),
                "results": self.results,
                "points": points,
                "base": self.benchmarks,
                "sampling": {name: self.sampling_of(name) for names in self.benchmarks.values() for name in names},
            }
        )

    def replay_settings(self) -> str:
        """The rules to replay, and the points whose stored rollouts they are applied to."""
        return canonical(
            {
                "node": "replay",
                "results": self.results,
                "summary": self.summary,
                "points": [{**vars(point), "iterations": self.recipe(point)["iterations"]} for point in self.points],
                "replay": [chosen_rules(block) for block in self.config["replay"]],
            }
        )

    def comparison_settings(self) -> str:
        points = [
            {**vars(point), "iterations": self.recipe(point)["iterations"], "benchmarks": list(names)}
            for point, names in self.points.items()
        ]
        caps = {
            name: self.config["benchmarks"][name]["max_tokens"] for names in self.benchmarks.values() for name in names
        }
        return canonical(
            {
                "node": "compare",
                "code": code_hash("compare"),
                "results": self.results,
                "points": points,
                "base": self.benchmarks,
                "max_tokens": caps,
                "budgets": self.config["evaluate"]["budgets"],
                "cuts": self.config["summary"]["cuts"],
                "resampling": {key: self.config["evaluate"][key] for key in ("resamples", "level", "seed")},
            }
        )

    def timing_settings(self) -> str:
        return canonical({"node": "timings", "code": code_hash("timings"), **self.node_blocks()})

    def page_settings(self) -> str:
        problems = {
            name: self.config["benchmarks"][name]["problems"] for names in self.benchmarks.values() for name in names
        }
        blocks = self.node_blocks()
        for block, point in zip(blocks["points"], self.points, strict=True):
            block |= {"changing": changing} if (changing := self.changing(point)) else {}
        return canonical(
            {
                "node": "page",
                "code": code_hash("page"),
                "assets": assets_hash(),
                "problems": problems,
                **blocks,
            }
        )

    def changing(self, point: Point) -> dict:
        """What the settings of one iteration do not tell of a point: how its budget and the sampled policy change."""
        schedule, refresh_every = self.schedule(point), self.recipe(point)["rollouts"]["refresh_every"]
        found = {} if schedule["kind"] == "constant" else {"schedule": schedule}
        return found if refresh_every == 1 else {**found, "rollouts": {"refresh_every": refresh_every}}

    def node_blocks(self) -> dict:
        """What names every node of the sweep, and so every sidecar: points with iterations and benchmarks, and the base models."""
        points = [
            {
                **vars(point),
                **self.benchmarks_of(point),
                "tracked": self.tracked_iterations(point),
                **({"decided": decided} if (decided := self.decided(point)) else {}),
            }
            for point in self.points
        ]
        return {"results": self.results, "points": points, "base": self.benchmarks}

    def figure_settings(self) -> str:
        return canonical({"node": "figures", "code": code_hash("figures")})
