"""Engines that outlive a node: the same completions, whether one was found, started, or killed in the middle."""

import contextlib
import fcntl
import itertools
import multiprocessing
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from opsft.engines import EngineSettings, Request, Sampling, load_engine
from opsft_flow.machine import engine_server, messages
from opsft_flow.machine.engine_sockets import EngineLost, in_the_way, label, put_to_sleep
from opsft_flow.machine.gpus import Gpu, Loan
from opsft_flow.machine.runtime import FOLDER, HEAD, find_head, listen, this_process
from opsft_flow.sampling import orders
from opsft_flow.sampling.orders import Policy
from opsft_flow.sampling.warm_engine import WarmEngine, deal
from tests.unit.processes import ROOT, FakeHead, find_process, is_running, wait_until

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="engines are kept on Linux alone")

SETTINGS = EngineSettings(context=128, max_sequences=8, dtype="float32", device="cpu")
SAMPLING = Sampling(max_tokens=24, temperature=1.0, top_p=1.0, top_k=0, stop_token_ids=(1,), logprobs=True)
GREEDY_TOKEN = Sampling(max_tokens=1, temperature=0.0, top_p=1.0, top_k=0, stop_token_ids=(), logprobs=True)
REQUESTS = [Request(tuple(range(3, 6 + i % 4)), seed=10 * i, samples=2) for i in range(6)]
NO_GPU = Loan((), ())


def ignore_progress(done: int, total: int, tokens: int) -> None:
    pass


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory) -> list[Path]:
    """The toy reasoner, and the same with other weights."""
    base = ROOT / "models" / "toy-reasoner"
    other = tmp_path_factory.mktemp("models") / "other"
    shutil.copytree(base, other)
    generator = torch.Generator().manual_seed(0)
    weights = load_file(base / "model.safetensors")
    moved = {name: w + 0.02 * torch.randn(w.shape, generator=generator) for name, w in weights.items()}
    save_file(moved, other / "model.safetensors", metadata={"format": "pt"})
    return [base, other]


@pytest.fixture(scope="module")
def expected(checkpoints):
    """What an engine of one's own samples from each checkpoint, with one thread as the kept ones have."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    engines = [load_engine("transformers", str(folder), SETTINGS) for folder in checkpoints]
    yield [engine.generate(REQUESTS, SAMPLING, ignore_progress) for engine in engines]
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def shared_head(tmp_path_factory):
    head = FakeHead(tmp_path_factory.mktemp("run"))
    yield head
    head.end()


@pytest.fixture
def in_workflow(shared_head, monkeypatch):
    """This test is a node of a workflow that other tests share."""
    enter(shared_head, monkeypatch)
    return shared_head


@pytest.fixture
def in_own_workflow(tmp_path_factory, monkeypatch):
    """This test is a node of a workflow that nobody shares."""
    head = FakeHead(tmp_path_factory.mktemp("run"))
    enter(head, monkeypatch)
    yield head
    head.end()


def enter(head: FakeHead, monkeypatch) -> None:
    for name, value in head.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def engine_for(
    folder: Path, weights: str = "", probe: dict | None = None, idle_s: float = 60.0, loan=NO_GPU, base="toy"
):
    policy = Policy(str(folder), base, weights or folder.name, probe, tolerance=1e-3)
    return WarmEngine("transformers", SETTINGS, policy, loan, 1, idle_s, find_head() or this_process())


def server_of(head: FakeHead) -> int | None:
    return find_process(f"opsft_flow.machine.engine_server {head.folder}")


def test_a_kept_engine_samples_what_an_engine_of_ones_own_samples(in_workflow, checkpoints, expected):
    first = engine_for(checkpoints[0])
    assert first.generate(REQUESTS, SAMPLING, ignore_progress) == expected[0]
    server = server_of(in_workflow)
    second = engine_for(checkpoints[0])
    assert second.generate(REQUESTS, SAMPLING, ignore_progress) == expected[0]
    assert server_of(in_workflow) == server
    assert {"sample"} == second.phases.keys()


def test_the_weights_of_another_policy_take_the_place_of_the_last(in_workflow, checkpoints, expected):
    for which in (0, 1, 0):
        engine = engine_for(checkpoints[which])
        assert engine.generate(REQUESTS, SAMPLING, ignore_progress) == expected[which]
    assert "weights" in engine.phases
    assert expected[0] != expected[1]


def test_progress_reaches_the_node_and_ends_with_all(in_workflow, checkpoints, expected):
    seen = []
    engine_for(checkpoints[0]).generate(REQUESTS, SAMPLING, lambda *counts: seen.append(counts))
    tokens = sum(len(completion.token_ids) for several in expected[0] for completion in several)
    assert seen[-1] == (12, 12, tokens)


def test_what_cannot_be_served_is_refused_and_the_engine_stays(in_workflow, checkpoints, expected):
    engine = engine_for(checkpoints[0])
    engine.generate(REQUESTS, SAMPLING, ignore_progress)
    server = server_of(in_workflow)
    with pytest.raises(ValueError, match="the prompt is empty"):
        engine.generate([Request((), seed=0, samples=1)], SAMPLING, ignore_progress)
    assert engine.generate(REQUESTS, SAMPLING, ignore_progress) == expected[0]
    assert server_of(in_workflow) == server


def test_the_right_probe_passes_and_a_wrong_one_is_told_after_a_second_engine(in_own_workflow, checkpoints, capfd):
    prompt = (3, 4, 5)
    plain = load_engine("transformers", str(checkpoints[0]), SETTINGS)
    logprob = plain.generate([Request(prompt, 0, 1)], GREEDY_TOKEN, ignore_progress)[0][0].logprob
    probe = {"prompt_ids": list(prompt), "logprob": logprob}
    engine_for(checkpoints[0], "right", probe).generate(REQUESTS, SAMPLING, ignore_progress)
    wrong = {"prompt_ids": list(prompt), "logprob": logprob - 0.01}
    with pytest.raises(EngineLost, match="the engine does not hold this policy's weights"):
        engine_for(checkpoints[0], "wrong", wrong).generate(REQUESTS, SAMPLING, ignore_progress)
    assert "an engine was lost, another is started" in capfd.readouterr().out


def test_an_engine_that_is_killed_in_the_middle_is_replaced(in_workflow, checkpoints, expected):
    killed = []

    def kill_once(done: int, total: int, tokens: int) -> None:
        if not killed:
            killed.append(server_of(in_workflow))
            os.kill(killed[0], signal.SIGKILL)

    engine = engine_for(checkpoints[1])
    assert engine.generate(REQUESTS, SAMPLING, kill_once) == expected[1]
    assert server_of(in_workflow) not in (None, killed[0])


def test_two_engines_share_the_work(in_own_workflow, checkpoints, expected):
    counts = []
    engine = engine_for(checkpoints[0])
    shared = engine.generate(REQUESTS, SAMPLING, lambda *seen: counts.append(seen), engines=2)
    assert [[c.token_ids for c in several] for several in shared] == [
        [c.token_ids for c in several] for several in expected[0]
    ]
    assert counts[-1][:2] == (12, 12)
    assert len(list(in_own_workflow.folder.glob("head-*/engine-cpu-*.sock"))) == 2


def test_requests_are_dealt_from_the_longest_to_the_shortest():
    requests = [Request(tuple(range(1, 1 + n)), seed=0, samples=1) for n in (2, 9, 4, 7, 5)]
    assert deal(requests, 2) == [[1, 4, 0], [3, 2]]
    assert sorted(itertools.chain(*deal(requests, 4))) == [0, 1, 2, 3, 4]


def sample_slowly(folder: Path, lock: str, started) -> None:
    with open(lock, "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        slow = Sampling(max_tokens=100, temperature=1.0, top_p=1.0, top_k=0, stop_token_ids=(), logprobs=False)
        requests = [Request((3, 4, 5), seed=i, samples=8) for i in range(2000)]
        loan = Loan((Gpu("0", "GPU-aaaa", 80000),), (held,))
        engine_for(folder, loan=loan).generate(requests, slow, lambda *counts: started.set())


def test_an_engine_whose_node_is_killed_ends_and_holds_the_gpu_until_then(in_own_workflow, checkpoints, tmp_path):
    lock = tmp_path / "lock"
    context = multiprocessing.get_context("spawn")
    started = context.Event()
    node = context.Process(target=sample_slowly, args=(checkpoints[0], str(lock), started))
    node.start()
    assert started.wait(120)
    server = server_of(in_own_workflow)
    os.kill(server, signal.SIGSTOP)
    node.kill()
    node.join()
    with open(lock) as handle:
        with pytest.raises(BlockingIOError):
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(server, signal.SIGCONT)
        fcntl.flock(handle, fcntl.LOCK_EX)
        wait_until(lambda: not is_running(server))


@pytest.mark.parametrize("unread", [b"", b"progress"])
def test_an_engine_ends_with_a_client_that_dies_whether_it_has_read_all_or_not(unread, monkeypatch):
    ended = threading.Event()
    done = threading.Event()
    monkeypatch.setattr(engine_server, "end", lambda: (ended.set(), done.set()))
    server, client = socket.socketpair()
    watcher = threading.Thread(target=engine_server.end_with_client, args=(server, done))
    watcher.start()
    server.sendall(unread)
    client.close()
    assert ended.wait(10)
    watcher.join(10)


def test_an_engine_outlives_a_client_that_is_done():
    server, client = socket.socketpair()
    done = threading.Event()
    watcher = threading.Thread(target=engine_server.end_with_client, args=(server, done))
    watcher.start()
    done.set()
    client.close()
    watcher.join(10)
    assert not watcher.is_alive()


def test_an_idle_engine_ends(in_own_workflow, checkpoints):
    engine_for(checkpoints[0], idle_s=0.5).generate(REQUESTS, SAMPLING, ignore_progress)
    wait_until(lambda: server_of(in_own_workflow) is None)
    assert not list(in_own_workflow.folder.glob("head-*/*.sock"))


def test_an_engine_ends_with_its_workflow_and_leaves_nothing(in_own_workflow, checkpoints):
    engine_for(checkpoints[0]).generate(REQUESTS, SAMPLING, ignore_progress)
    in_own_workflow.end()
    wait_until(lambda: server_of(in_own_workflow) is None)
    wait_until(lambda: not list(in_own_workflow.folder.glob("head-*")))


def sample_alone(folder: Path, server: Path) -> None:
    engine_for(folder).generate(REQUESTS, SAMPLING, ignore_progress)
    found = find_process(f"opsft_flow.machine.engine_server {os.environ[FOLDER]}/head-{os.getpid()}-")
    server.write_text(str(found))


def test_without_a_workflow_an_engine_serves_one_node(in_own_workflow, checkpoints, tmp_path, monkeypatch):
    monkeypatch.delenv(HEAD)
    node = multiprocessing.get_context("spawn").Process(target=sample_alone, args=(checkpoints[0], tmp_path / "server"))
    node.start()
    node.join()
    server = int((tmp_path / "server").read_text())
    wait_until(lambda: not is_running(server))


def test_models_of_one_sweep_have_engines_of_their_own(in_own_workflow, checkpoints, expected):
    for base in ("one", "another"):
        engine = engine_for(checkpoints[0], base=base)
        assert engine.generate(REQUESTS, SAMPLING, ignore_progress) == expected[0]
    assert len(list(in_own_workflow.folder.glob("head-*/engine-*.sock"))) == 2


def test_a_process_that_an_engine_forks_does_not_hold_the_gpu(tmp_path):
    """As vLLM's own process would: it lives for as long as the engine."""
    lock = tmp_path / "lock"
    script = (
        "import fcntl, os, pathlib, sys, time\n"
        "from opsft_flow.machine.engine_server import EngineServer\n"
        "server = EngineServer(pathlib.Path(sys.argv[1]), 5.0)\n"
        "lock = open(sys.argv[2], 'w')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "server.own_files.append(lock.fileno())\n"
        "if os.fork() == 0:\n"
        "    time.sleep(30)\n"
        "print('forked', flush=True)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "e.sock"), str(lock)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True)
    assert server.stdout.readline() == "forked\n"
    server.wait()
    with open(lock) as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_engines_that_wait_on_a_gpu_are_put_to_sleep_and_others_are_not(in_workflow):
    folder = find_head().folder()
    heard: list[str] = []
    together = threading.Barrier(2, timeout=5)

    def serve(name: str) -> None:
        listener = listen(folder / f"engine-{name}-abc-0.sock")

        def answer() -> None:
            connection, _ = listener.accept()
            messages.send(connection, {"process": 0})
            heard.append(f"{name}: {messages.receive(connection)[0]['do']}")
            with contextlib.suppress(threading.BrokenBarrierError):
                together.wait()
            messages.send(connection, {"event": "done"})
            connection.close()

        threading.Thread(target=answer, daemon=True).start()

    for name in ("0", "1", "1+2", "3"):
        serve(name)
    keep = folder / "engine-3-abc-0.sock"
    put_to_sleep((Gpu("1", "GPU-b", 1), Gpu("3", "GPU-d", 1)), besides=(keep,))
    assert sorted(heard) == ["1+2: sleep", "1: sleep"]
    assert not together.broken, "one engine was asked only after the other had answered"


@pytest.mark.parametrize(
    ("gpu", "meets"),
    [
        (Gpu("1", "GPU-b", 1), {"1", "1+2", "1.0of2", "1.1of2", "1.2of4"}),
        (Gpu("1", "GPU-b", 1, share=1, shares=2), {"1", "1+2", "1.1of2", "1.2of4"}),
        (Gpu("11", "GPU-l", 1), set()),
    ],
)
def test_a_share_is_in_the_way_of_the_whole_of_itself_and_of_other_sizes_and_not_of_its_like(gpu, meets):
    names = ("0", "1", "1+2", "1.0of2", "1.1of2", "1.2of4", "2.1of2")
    assert {name for name in names if in_the_way(Path(f"engine-{name}-abc-0.sock"), [label(gpu)])} == meets


def test_an_engine_is_held_to_its_threads_before_it_starts(monkeypatch):
    happened = []
    monkeypatch.setattr(orders, "limit_threads", lambda threads: happened.append(threads))
    monkeypatch.setattr(orders, "load_engine", lambda *asked: happened.append("started"))
    order = {"engine": "vllm", "model": "", "settings": {"context": 8}, "threads": 3, "weights": "", "probe": None}
    orders.KeptEngine().take_policy({**order, "tolerance": 0.0}, lambda phase: contextlib.nullcontext())
    assert happened == [3, "started"]


def test_an_engine_that_has_gone_to_sleep_lets_go_of_its_client_at_once(in_workflow):
    path = find_head().folder() / "engine-5-abc-0.sock"
    script = (
        "import pathlib, sys\n"
        "from unittest import mock\n"
        "from opsft_flow.machine.engine_server import EngineServer\n"
        "server = EngineServer(pathlib.Path(sys.argv[1]), 5.0)\n"
        "server.kept.engine = mock.Mock()\n"
        "print('listens', flush=True)\n"
        "server.serve()\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(ROOT)}, text=True)
    assert server.stdout.readline() == "listens\n"
    started = time.monotonic()
    for _ in range(8):
        put_to_sleep((Gpu("5", "GPU-f", 1),))
    seconds = time.monotonic() - started
    server.kill()
    server.wait()
    assert seconds < 3, "it waits for the thread that watches the client, a second each time"
