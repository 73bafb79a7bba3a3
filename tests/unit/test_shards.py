"""Shards: how requests are cut, and that what they sample is gathered to the bytes of one job."""

import importlib.util
import itertools
import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsft.engines import Request, groups
from opsft_flow.files import read_json
from opsft_flow.places import shard_file
from opsft_flow.shards import gather, gathered_facts, requests_of
from opsft_flow.tables import PROBLEM, ROLLOUT, read_table, write_table

ROOT = pathlib.Path(__file__).resolve().parents[2]
KEY = pa.schema({"problem_id": pa.string(), "sample": pa.int32()})


def request(length: int, samples: int = 1) -> Request:
    return Request(prompt_ids=(1,) * length, seed=0, samples=samples)


def test_groups_hold_whole_requests_longest_prompts_first():
    requests = [request(3, 2), request(9, 2), request(5, 1), request(9, 3), request(1, 9), request(2, 1)]
    # 9 (2 samples) and 9 (3) fill the 5; 5, 3 and 2 are 1 + 2 + 1; 1 has 9 samples of its own.
    assert groups(requests, 5) == [[1, 3], [2, 0, 5], [4]]
    assert groups([], 5) == []


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(1, 8), st.integers(1, 12), st.integers(1, 6))
def test_shards_share_the_requests_in_whole_groups(lengths, samples, max_sequences, shards):
    requests = [request(length, samples) for length in lengths]
    parts = [requests_of(requests, max_sequences, shard, shards) for shard in range(1, shards + 1)]
    assert sorted(itertools.chain(*parts)) == list(range(len(requests)))
    assert all(part == sorted(part) for part in parts)
    # An engine that is given a shard cuts it into the very groups that it would cut the whole into.
    whole = groups(requests, max_sequences)
    for shard, part in enumerate(parts):
        own = groups([requests[i] for i in part], max_sequences)
        assert [[part[i] for i in group] for group in own] == whole[shard::shards]


def write_keys(path: pathlib.Path, keys: list[tuple[str, int]]) -> str:
    pq.write_table(pa.Table.from_pylist([{"problem_id": p, "sample": s} for p, s in keys], schema=KEY), path)
    return str(path)


def test_gathered_rows_are_in_the_order_of_the_problems(tmp_path):
    paths = [
        write_keys(tmp_path / "1", [("b", 0), ("b", 1)]),
        write_keys(tmp_path / "2", []),
        write_keys(tmp_path / "3", [("a", 0), ("a", 1), ("c", 1), ("c", 0)]),
    ]
    table = gather(paths, ["c", "b", "a"], 2, KEY)
    assert [tuple(row.values()) for row in table.to_pylist()] == [(p, s) for p in "cba" for s in (0, 1)]
    assert table["sample"].num_chunks == 1


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([("a", 0)], "1 rollouts found, 0 of them of other problems; 2 of each of 1 problems are needed"),
        ([("a", 0), ("z", 0)], "2 rollouts found, 1 of them of other problems"),
        ([("a", 0), ("a", 0)], "some rollouts occur twice, and others are missing"),
    ],
)
def test_shards_of_something_else_are_refused(tmp_path, keys, message):
    with pytest.raises(ValueError, match=message):
        gather([write_keys(tmp_path / "1", keys)], ["a"], 2, KEY)


def test_the_rate_of_a_gathered_place_is_that_over_its_slowest_shard():
    runs = [{"tokens": 30, "phases": {"sample": 2.0}}, {"tokens": 10, "phases": {}}]
    assert gathered_facts(runs) == {"shards": 2, "shard_runs": runs, "tokens": 40, "tokens_per_second": 20.0}
    assert gathered_facts([{"tokens": 0, "phases": {}}])["tokens_per_second"] == 0.0


@pytest.fixture(scope="module")
def sampled(tmp_path_factory) -> dict[int, pathlib.Path]:
    """The rollouts of one place by their number of shards: 20 requests of 2 samples, 8 sequences at a time, 5 groups."""
    folder = tmp_path_factory.mktemp("place")
    model = {"source": str(ROOT / "models" / "toy-reasoner"), "revision": None}
    run("base", {"model": model}, policy=folder / "policy.json", run=folder / "policy.run.json")
    return {shards: sample(folder / str(shards), folder / "policy.json", shards) for shards in (1, 2, 3, 7)}


def sample(folder: pathlib.Path, policy: pathlib.Path, shards: int) -> pathlib.Path:
    """Sample a place in shards, as the rules do; returns its rollouts."""
    problem = {"question": "+", "answer": "2", "source": "s", "level": None}
    rows = [
        {"problem_id": f"p{i}", "prompt": [{"role": "user", "content": "+".join("123456"[: 2 + i % 4])}], **problem}
        for i in range(24)
    ]
    write_table(folder / "problems.parquet", rows, PROBLEM)
    settings = {
        "iteration": 1,
        "plain_prompts": False,
        "thinking": ["<think>", "</think>"],
        "engine": {"name": "transformers", "context": 320, "max_sequences": 8, "device": "cpu"},
        "rollouts": {
            "prompts": 20,
            "samples": 2,
            "max_tokens": 40,
            "temperature": 1.0,
            "top_p": 1.0,
            "top_k": 0,
            "seed": 5,
            "logprobs": True,
        },
        "place": "toy/opsft/L40/seed5/iter1/train",
    }
    serving = json.dumps({"engine": "auto", "idle_s": 60, "engines_per_gpu": "auto"})
    given = {
        "serving": serving,
        "budget": "none",
        "policy": policy,
        "problems": folder / "problems.parquet",
        "shards": shards,
        "measured": "none",
        "stopped": "none",
    }
    for shard in range(1, shards + 1) if shards > 1 else []:
        path = pathlib.Path(shard_file(str(folder), shard, shards))
        run("generate", settings, **given, shard=shard, rollouts=path, run=path.with_suffix(".run.json"))
    rollouts = folder / "rollouts.parquet"
    run("generate", settings, **given, shard="all", rollouts=rollouts, run=folder / "rollouts.run.json")
    return rollouts


def run(script: str, settings: dict, **arguments) -> None:
    """Run the script of a node in this process."""
    spec = importlib.util.spec_from_file_location(script, ROOT / "workflow" / "scripts" / f"{script}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    options = [option for name, value in arguments.items() for option in (f"--{name}", str(value))]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TOKENIZERS_PARALLELISM"):
            patch.setenv(name, "1")
        patch.setattr("sys.argv", [f"{script}.py", "--settings", json.dumps(settings), *options])
        module.main()


@pytest.mark.parametrize("shards", [2, 3, 7])
def test_rollouts_are_the_same_bytes_for_every_number_of_shards(sampled, shards):
    assert sampled[shards].read_bytes() == sampled[1].read_bytes()
    assert len(read_table(sampled[1], ROLLOUT)) == 40


def test_a_gathered_place_says_what_its_shards_did(sampled):
    whole = read_json(sampled[1].parent / "rollouts.run.json")["run"]
    assert whole["shards"] == 1
    for shards in (2, 3, 7):
        made = read_json(sampled[shards].parent / "rollouts.run.json")["run"]
        assert (made["shards"], len(made["shard_runs"]), made["tokens"]) == (shards, shards, whole["tokens"])
        assert "sample" not in made["phases"]


def test_a_shard_without_a_group_samples_nothing_and_starts_no_engine(sampled):
    """There are 5 groups: of 7 shards, the last two get none."""
    for shard, is_empty in ((5, False), (6, True), (7, True)):
        path = pathlib.Path(shard_file(str(sampled[7].parent), shard, 7))
        made = read_json(path.with_suffix(".run.json"))["run"]
        assert (made["tokens"] == 0) == is_empty
        assert ("engine start" not in made["phases"]) == is_empty
        assert (read_table(path, ROLLOUT) == []) == is_empty
