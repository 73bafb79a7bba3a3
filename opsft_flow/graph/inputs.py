"""What each node of a sweep reads, as paths from the working directory."""

import pathlib
import re

from opsft.budgets import planned_budget
from opsft_flow.graph.decisions import decision_file, files_read
from opsft_flow.graph.node_settings import NodeSettings, canonical
from opsft_flow.graph.stops import Gate, gates_of
from opsft_flow.integrity import read_sealed
from opsft_flow.places import (
    Place,
    iteration_folder,
    measured_on,
    parse_place,
    policy_manifest,
    problem_file,
    shard_file,
)
from opsft_flow.points import Point


class Inputs(NodeSettings):
    """A sweep with the settings of its nodes, and the files that each of them reads: the edges of the graph."""

    def __init__(self, config: dict) -> None:
        super().__init__(config)
        self.gates: dict[Point, dict[int, Gate]] = {}

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
                made = read_sealed(sidecar)
                if made and canonical(made["settings"]) == settings:
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

    # Stop rules. Where none is set, and no decision lies on disk, they add nothing to the graph.

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

    # What the tables, the page and the tracking read.

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
                files.append(f"{iteration_folder(point, i)}/train/selected.parquet")
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
