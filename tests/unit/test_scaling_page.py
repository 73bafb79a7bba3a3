"""The paper's run on paper: the tables are what the script prints, and the model behind them is right where it can be known."""

import pytest

from benchmarks import scaling

SMALL, LARGE = scaling.PAPER


def test_the_tables_of_the_page_are_what_the_script_prints():
    page = scaling.PAGE.read_text()
    assert scaling.render(page) == page
    assert page.count("| model |") == 4


@pytest.mark.parametrize(
    ("model", "parameters"),
    [(scaling.MEASURED, 494_032_768), (SMALL, 1_777_088_000), (LARGE, 7_615_616_512)],
)
def test_the_parameters_are_those_of_the_checkpoints(model, parameters):
    assert model.parameters == parameters


def test_the_state_of_the_measured_model_is_what_was_written():
    assert scaling.STATE_BYTES * scaling.MEASURED.parameters == pytest.approx(6e9, rel=0.02)


def test_at_the_measured_size_a_short_response_is_sampled_at_the_measured_rate():
    assert 1 / scaling.sampling_s(scaling.MEASURED, response=0)[1] == pytest.approx(scaling.SAMPLED_A_SECOND)


def test_a_step_of_the_small_model_by_hand():
    # Keys and values of a token: 2 tensors x 2 bytes x 28 layers x 2 heads x 128 = 28,672 bytes; 1,000 tokens of context.
    cache = 28_672 * 1_000 / (0.6 * 3.35e12)
    least = 1_024 * 2_000 * (2 * 1_777_088_000 / (0.4 * 989e12) + cache)
    sampling, training = scaling.step_work_s(SMALL)
    assert sampling[0] == pytest.approx(least)
    assert training[1] == pytest.approx(1_024 * 3_500 * 0.6 * 8 * 1_777_088_000 / (0.25 * 989e12))


def test_the_nodes_of_a_point():
    # 2,520 iterations of generate, verify, filter and sft; evaluations after 250, ..., 2,500 and 2,520, of 5 benchmarks, 3 nodes each.
    assert scaling.nodes_of_point(steps=1, shards=1) == 2_520 * 4 + 11 * 5 * 3
    assert scaling.nodes_of_point(steps=1, shards=8) == 2_520 * 12 + 11 * 5 * 3


def test_no_number_of_gpus_samples_faster_than_the_longest_response():
    hours, waiting = scaling.point_hours(LARGE, gpus=100_000, steps=1, layout=scaling.WORKSTATION)
    assert hours[0] - waiting > 2_520 * scaling.longest_response_s(LARGE) / 3_600


def test_a_cluster_starts_engines_in_each_iteration_and_a_workstation_loads_weights():
    cluster, workstation = (
        scaling.waiting_s(scaling.MEASURED, layout, shards=8) for layout in (scaling.CLUSTER, scaling.WORKSTATION)
    )
    assert cluster == pytest.approx(scaling.STATE_S + scaling.ENGINES_S + 4 * scaling.SLURM_S)
    assert workstation == pytest.approx(scaling.STATE_S + scaling.WEIGHTS_S + 5 * scaling.NODE_S)
