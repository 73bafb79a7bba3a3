"""What a configuration asks for: the points of the sweep, and what each of them is."""

import os
import re

from opsft_flow.configuration.config import engine_for, resolve, results_folder, schedule_of, stop_rules
from opsft_flow.configuration.sources import check_model, check_problems
from opsft_flow.errors import ConfigError
from opsft_flow.graph.own_code import is_own, own_hash
from opsft_flow.places import Place, sampled_policy
from opsft_flow.points import Point, expand_sweep


class Sweep:
    """The resolved configuration and its points.

    Raises ConfigError where the configuration cannot be run.
    """

    def __init__(self, config: dict) -> None:
        self.config = resolve(config)
        check_home(self.config["results"], "results")
        self.results = results_folder(self.config)
        self.summary = "/".join(filter(None, ["summary", self.config["summary"]["name"]]))
        self.points = expand_sweep(self.config["sweep"])
        self.models = list(dict.fromkeys(point.model for point in self.points))
        self.benchmarks = {
            model: list(dict.fromkeys(b for p, names in self.points.items() if p.model == model for b in names))
            for model in self.models
        }
        for name in self.models:
            source = self.config["models"][name]["source"]
            check_home(source, f"models.{name}.source")
            check_model(name, source)
        for name in self.problem_sets():
            block = self.config["problems"][name]
            check_home(block["source"], f"problems.{name}.source")
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

    def stop_rules(self, point: Point) -> dict[str, dict]:
        return stop_rules(self.recipe(point))

    def sampled_at(self, place: Place) -> int:
        """The number of the policy that is sampled at a place."""
        if place.benchmark:
            return place.iteration
        return sampled_policy(place.iteration, self.recipe(place.point)["rollouts"]["refresh_every"])

    def tracked_iterations(self, point: Point) -> list[int]:
        """The iterations after which the point's run is brought up to date: each when online, else the last."""
        every = list(self.iterations(point))
        return every if self.config["track"]["mode"] == "online" else every[-1:]

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

    def base_places(self) -> list[str]:
        return [Place(model, None, 0, name).path for model, names in self.benchmarks.items() for name in names]

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


def check_home(source: str, where: str) -> None:
    """Refuse a path below a home folder that is not there. Raises ConfigError."""
    if source.startswith("~") and os.path.expanduser(source) == source:
        raise ConfigError(f"{where}: {source!r} has no home folder here; allowed: ~/ and ~user/ of those who have one")
