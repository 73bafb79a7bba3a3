"""A sweep as the rules ask for it: its points (sweep.py), the settings of their nodes (node_settings.py), what these read (inputs.py),
and here the settings of the nodes that see all points.
"""

from opsft_flow.graph.code_hash import code_hash
from opsft_flow.graph.inputs import Inputs
from opsft_flow.graph.node_settings import canonical
from opsft_flow.page.build import assets_hash
from opsft_flow.points import Point
from opsft_flow.selection import chosen_rules


class Plan(Inputs):
    """Everything that the rules ask of a configuration.

    Raises ConfigError where the configuration cannot be run.
    """

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
