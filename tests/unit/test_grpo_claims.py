"""What is said of on-policy SFT and GRPO, from runs whose every number is known."""

import pytest

from benchmarks.against_grpo import finished_runs
from benchmarks.grpo_claims import OURS, Arm, arm_table, by_arm, reached, run_table, sentences
from benchmarks.grpo_figure import against_time
from benchmarks.grpo_job import caps, microbatch_of
from benchmarks.grpo_page import PAGE, render
from benchmarks.record import hardware
from opsft_flow.files import write_json
from opsft_flow.points import Point


def estimate(value: float, half: float) -> dict:
    return {"value": value, "low": value - half, "high": value + half}


def policy(i: int, ratio: float | None, seconds: float, work: float, accuracy: float = 0.01) -> dict:
    """Iteration i; `ratio` is None where its policy was not measured."""
    row = {"iteration": i, "seconds": seconds, "work_s": work, "tokens_sampled": 1000 * i, "tokens_trained": 100 * i}
    if ratio is None:
        return row
    difference = {"accuracy": estimate(accuracy, 0.02), "tokens_ratio": estimate(ratio, 0.05)}
    return {
        **row,
        "tokens": estimate(100 * ratio, 5),
        "accuracy": estimate(0.8 + accuracy, 0.03),
        "difference": difference,
    }


def run(method: str, seed: int, iterations: list[dict], beta: float | None = None, memory: int = 500) -> dict:
    base = {"tokens": estimate(100, 5), "accuracy": estimate(0.8, 0.03)}
    arm = {"method": method, "beta": beta, "lr": 1e-3}
    return {**arm, "seed": seed, "peak_memory_mb": memory, "load_before": 0.1, "base": base, "iterations": iterations}


OUR_RUNS = [
    run(OURS, 0, [policy(1, 0.7, 10, 2), policy(2, 0.6, 20, 4), policy(3, 0.4, 30, 6)]),
    run(OURS, 1, [policy(1, 0.5, 12, 3, accuracy=-0.01), policy(2, 0.45, 24, 5), policy(3, 0.4, 36, 7)]),
]
GRPO_RUNS = [
    run("GRPO", 0, [policy(1, 0.9, 20, 10), policy(2, None, 40, 30), policy(3, 0.55, 60, 50)], beta=0.04, memory=1000),
    run("GRPO", 1, [policy(1, 0.9, 21, 11), policy(2, None, 41, 31), policy(3, 0.7, 61, 51)], beta=0.04, memory=750),
]


def test_a_run_is_40_percent_shorter_in_the_first_measured_iteration_at_or_below_it():
    assert reached(OUR_RUNS[0])["iteration"] == 2
    assert reached(OUR_RUNS[1])["iteration"] == 1
    assert reached(GRPO_RUNS[0])["iteration"] == 3
    assert reached(GRPO_RUNS[1]) is None


def test_learning_rates_and_weights_of_the_kl_term_are_arms_of_their_own():
    slower = {**GRPO_RUNS[0], "lr": 1e-4}
    names = [arm.name for arm in by_arm([*GRPO_RUNS, slower, *OUR_RUNS])]
    assert names == [OURS, "GRPO, beta 0.04, lr 0.001", "GRPO, beta 0.04, lr 0.0001"]


def test_the_sentences_say_when_at_what_accuracy_and_how_the_methods_compare():
    assert sentences([*OUR_RUNS, *GRPO_RUNS]) == [
        "on-policy SFT: -40% of the tokens in 2 of 2 seeds, after 16.0 (12.0 to 20.0) s, of them 3.5 (3.0 to 4.0) s of work, "
        "at +0.0 (-1.0 to +1.0) [-3.0, +3.0] points of accuracy against the base model.",
        "GRPO, beta 0.04, lr 0.001: -40% of the tokens in 1 of 2 seeds, after 60.0 s, of them 50.0 s of work, "
        "at +1.0 [-1.0, +3.0] points of accuracy against the base model.",
        # Seed 0 alone has both times: 60 / 20, 50 / 4, 3000 / 2000, 300 / 200.
        "GRPO, beta 0.04, lr 0.001 took 1.75 (1.50 to 2.00) times the peak memory of on-policy SFT, and until -40% 3.00 times the "
        "seconds, 12.50 times the work, 1.50 times the sampled and 1.50 times the trained tokens (1 of 2 seeds).",
    ]


def test_a_method_that_never_gets_there_is_told_by_where_it_ends():
    ours, never, beside = sentences([OUR_RUNS[1], GRPO_RUNS[1]])
    assert "in 1 of 1 seeds" in ours
    assert never == "GRPO, beta 0.04, lr 0.001: -40% of the tokens in 0 of 1 seeds; at the end -30%."
    assert beside == (
        "GRPO, beta 0.04, lr 0.001 took 1.50 times the peak memory of on-policy SFT; no seed has a time to -40% of both."
    )


def test_grpo_alone_is_compared_with_nothing():
    assert len(sentences(GRPO_RUNS)) == 1


def test_the_table_of_methods_has_a_row_for_each_and_leaves_empty_what_was_not_reached():
    rows = arm_table([OUR_RUNS[0], GRPO_RUNS[1]]).splitlines()[2:]
    assert rows[0].startswith(
        "| on-policy SFT | 1 of 1 | 20.0 | 4.0 | 2 | +1.0 [-1.0, +3.0] | 2,000 | 200 | 500 | -60% |"
    )
    assert rows[1].startswith("| GRPO, beta 0.04, lr 0.001 | 0 of 1 |  |  |  |  |  |  | 750 | -30% |")


def test_the_table_of_runs_has_their_intervals():
    assert run_table([OUR_RUNS[0]]).splitlines()[2] == (
        "| on-policy SFT | 0 | -40% | 2 | 20.0 | 4.0 | 60.0 [55.0, 65.0] | -40 [-45, -35] | 81.0 [78.0, 84.0] | +1.0 [-1.0, +3.0] |"
    )


def test_the_figure_has_a_line_a_run_from_the_base_model_on_without_what_was_not_measured():
    figure = against_time([OUR_RUNS[0], GRPO_RUNS[0]])
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata()) > 2]
    assert [list(line.get_xdata()) for line in lines] == [[0, 10, 20, 30], [0, 20, 60]]
    assert [list(line.get_ydata()) for line in lines] == [[100, 70, 60, 40], pytest.approx([100, 90, 55])]


@pytest.mark.parametrize(
    ("rollouts", "updates", "fitting", "expected"), [(960, 5, 300, 192), (960, 5, 100, 96), (64, 1, 0, 1)]
)
def test_a_micro_batch_cuts_every_update_evenly_and_fits(rollouts, updates, fitting, expected):
    assert microbatch_of(rollouts, updates, fitting) == expected


def test_rollouts_that_cannot_be_cut_into_equal_updates_are_refused():
    with pytest.raises(
        ValueError, match=r"1024 rollouts cannot be cut into 5 updates of equal size; allowed: a divisor of 1024"
    ):
        microbatch_of(1024, 5, 300)


def test_the_caps_of_grpo_follow_a_schedule_that_is_known_beforehand():
    steps = {"kind": "steps", "budgets": [60, 40], "iterations": 2}
    quantile = {"kind": "quantile", "start": 60, "floor": 10, "quantile": 0.6, "most_truncated": 0.5}
    config = {"schedules": {"down": steps, "follow": quantile}}
    assert caps(config, Point("m", "r", "down", 0), 3) == ([60, 60, 40], 60)
    assert caps(config, Point("m", "r", 24, 0), 2) == ([24, 24], 24)
    with pytest.raises(ValueError, match="--budget follow is a schedule of kind quantile"):
        caps(config, Point("m", "r", "follow", 0), 3)


def test_a_record_goes_on_with_the_same_parameters_only(tmp_path):
    file, parameters = tmp_path / "record.json", {"budgets": [24], "every": 1}
    assert finished_runs(file, parameters) == []
    write_json(file, {"parameters": parameters, "hardware": hardware(), "measurements": OUR_RUNS})
    assert [Arm.of(found).method for found in finished_runs(file, parameters)] == [OURS, OURS]
    with pytest.raises(
        ValueError, match=r"record.json: holds runs with another budgets, every; give --output another file"
    ):
        finished_runs(file, {"budgets": [32], "every": 2})


def test_the_page_is_that_of_the_records():
    assert render(PAGE.read_text()) == PAGE.read_text()
