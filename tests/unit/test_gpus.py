"""GPUs are lent to one node at a time, or in shares; two GPUs are made up here by a stand-in for nvidia-smi."""

import itertools
import multiprocessing
import os
import time

import pytest

from opsft_flow.machine.gpus import (
    SHARES,
    SINCE,
    WAITING,
    Gpu,
    borrow_for_node,
    borrow_gpus,
    facts_of_starter,
    find_gpus,
)
from opsft_flow.machine.runtime import FOLDER

FIRST, SECOND = Gpu("0", "GPU-aaaa", 81559), Gpu("1", "GPU-bbbb", 81559)


@pytest.fixture(autouse=True)
def two_gpus(tmp_path, monkeypatch):
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "nvidia-smi").write_text("#!/bin/sh\nprintf '0, GPU-aaaa, 81559\\n1, GPU-bbbb, 81559\\n'\n")
    (programs / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv(FOLDER, str(tmp_path / "run"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.delenv(SHARES, raising=False)


def test_all_gpus_are_found_or_those_that_are_named(monkeypatch):
    assert find_gpus() == [FIRST, SECOND]
    for names, expected in {
        "1": [SECOND],
        "1,0": [SECOND, FIRST],
        "GPU-bb": [SECOND],
        "": [],
        "-1": [],
        "0,-1,1": [FIRST],
    }.items():
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", names)
        assert find_gpus() == expected


def test_a_gpu_that_is_named_and_not_there_is_refused(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,7")
    with pytest.raises(ValueError, match=r"names '7'; this machine has 0 \(GPU-aaaa\), 1 \(GPU-bbbb\)"):
        find_gpus()


def test_a_machine_without_a_driver_has_none(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with borrow_gpus(1, "test") as loan:
        assert loan.gpus == ()
        assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_node_sees_the_gpu_that_it_holds_and_no_other():
    with borrow_gpus(1, "one") as loan:
        assert loan.gpus == (FIRST,)
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa"
        with borrow_gpus(0, "none"):
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-aaaa"
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_a_preferred_gpu_is_taken_first():
    with borrow_gpus(1, "one", prefer=lambda gpu: gpu == SECOND) as loan:
        assert loan.gpus == (SECOND,)


def test_more_than_there_are_is_refused():
    with pytest.raises(ValueError, match="3 GPUs are asked for"), borrow_gpus(3, "three"):
        pass


def test_inside_an_allocation_its_gpus_are_lent(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    with borrow_gpus(1, "job") as loan:
        assert loan.gpus == (SECOND,)
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-bbbb"
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"


def test_an_allocation_without_gpus_has_none_of_the_machine_s(monkeypatch):
    monkeypatch.setenv("SLURM_JOB_ID", "17")
    assert find_gpus() == []
    with borrow_gpus(1, "job") as loan:
        assert loan.gpus == ()
        assert os.environ.pop("CUDA_VISIBLE_DEVICES") == ""


def test_a_part_of_a_gpu_is_taken_as_it_is_named(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "MIG-1234")
    assert find_gpus() == [Gpu("MIG-1234", "MIG-1234", 0)]


def use_gpus(count: int, log) -> None:
    with borrow_gpus(count, f"job {os.getpid()}"):
        started = time.monotonic()
        time.sleep(0.15)
        log.put((os.environ["CUDA_VISIBLE_DEVICES"].split(","), started, time.monotonic()))


def test_six_jobs_on_two_gpus_use_both_and_never_meet_on_one():
    context = multiprocessing.get_context("fork")
    log = context.Queue()
    jobs = [context.Process(target=use_gpus, args=(1 + (i == 3), log)) for i in range(6)]
    for job in jobs:
        job.start()
    used = [log.get(timeout=30) for _ in jobs]
    for job in jobs:
        job.join()
    by_gpu = {gpu: sorted((start, end) for gpus, start, end in used if gpu in gpus) for gpu in ("GPU-aaaa", "GPU-bbbb")}
    assert all(by_gpu.values())
    for spans in by_gpu.values():
        assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans))


def hold_named(gpu: str, log, freed) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = gpu
    with borrow_gpus(1, "a test") as loan:
        log.put(loan.gpus[0].index)
        freed.wait(60)


def test_who_waits_for_one_gpu_keeps_nobody_from_another(capfd):
    context = multiprocessing.get_context("fork")
    log, freed = context.Queue(), context.Event()
    jobs = [context.Process(target=hold_named, args=(gpu, log, freed)) for gpu in "001"]
    jobs[0].start()
    assert log.get(timeout=30) == "0"
    jobs[1].start()
    while "waiting for 1 of 1 GPUs" not in capfd.readouterr().out:
        time.sleep(0.05)
    jobs[2].start()
    assert log.get(timeout=30) == "1"
    freed.set()
    assert log.get(timeout=30) == "0"
    for job in jobs:
        job.join(30)


def hold_forever(started) -> None:
    with borrow_gpus(2, "the one that is killed"):
        started.set()
        time.sleep(600)


def test_the_gpus_of_a_killed_node_are_free_at_once_and_the_wait_names_the_holder(capfd):
    context = multiprocessing.get_context("fork")
    started = context.Event()
    holder = context.Process(target=hold_forever, args=(started,))
    holder.start()
    started.wait(20)
    log = context.Queue()
    waiting = context.Process(target=use_gpus, args=(1, log))
    waiting.start()
    time.sleep(0.5)
    assert log.empty()
    holder.kill()
    holder.join()
    assert log.get(timeout=20)[0] == ["GPU-aaaa"]
    waiting.join()
    assert "waiting for 1 of 2 GPUs; they are held by: the one that is killed (process" in capfd.readouterr().out


@pytest.fixture
def halves(monkeypatch):
    """Both GPUs in two shares each."""
    monkeypatch.setenv(SHARES, "2")
    return [gpu._replace(share=share, shares=2) for share in (0, 1) for gpu in (FIRST, SECOND)]


def hold_until(count: int, log, freed) -> None:
    with borrow_gpus(count, "holder") as loan:
        log.put([(gpu.uuid, gpu.share) for gpu in loan.gpus])
        freed.wait(30)


def held_one_after_the_other(counts: list[int]) -> list[list[tuple[str, int]]]:
    """What nodes get that ask for so many GPUs each, and hold them until all have what they asked for."""
    context = multiprocessing.get_context("fork")
    log, freed, got, nodes = context.Queue(), context.Event(), [], []
    for count in counts:
        nodes.append(context.Process(target=hold_until, args=(count, log, freed)))
        nodes[-1].start()
        got.append(log.get(timeout=20))
    freed.set()
    for node in nodes:
        node.join()
    return got


def test_a_gpu_in_shares_is_as_many_and_other_gpus_go_before_second_shares(halves):
    assert find_gpus() == halves
    assert held_one_after_the_other([1, 1, 1]) == [[("GPU-aaaa", 0)], [("GPU-bbbb", 0)], [("GPU-aaaa", 1)]]


def test_who_asks_for_two_gpus_never_gets_two_shares_of_one(halves):
    assert held_one_after_the_other([1, 2]) == [[("GPU-aaaa", 0)], [("GPU-bbbb", 0), ("GPU-aaaa", 1)]]
    with pytest.raises(ValueError, match=r"3 GPUs are asked for .*; this process may use 2"), borrow_gpus(3, "three"):
        pass


@pytest.mark.parametrize("shares", [None, "2"])
def test_a_third_node_waits_for_a_share_and_one_that_wants_it_whole_waits_for_both(halves, shares, monkeypatch, capfd):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    context = multiprocessing.get_context("fork")
    log, freed = context.Queue(), [context.Event(), context.Event()]
    holders = [context.Process(target=hold_until, args=(1, log, event)) for event in freed]
    for holder in holders:
        holder.start()
    assert sorted(log.get(timeout=20) + log.get(timeout=20)) == [("GPU-aaaa", 0), ("GPU-aaaa", 1)]
    if shares is None:
        monkeypatch.delenv(SHARES)
    waiting = context.Process(target=use_gpus, args=(1, log))
    waiting.start()
    told, patience = "", time.monotonic() + 20
    while "held by" not in told and time.monotonic() < patience:
        time.sleep(0.05)
        told += capfd.readouterr().out
    freed[0].set()
    holders[0].join()
    if shares is None:
        time.sleep(0.5)
        assert log.empty()
        freed[1].set()
    assert log.get(timeout=20)[0] == ["GPU-aaaa"]
    freed[1].set()
    for process in (waiting, holders[1]):
        process.join()
    assert "waiting for 1 of 1 GPUs; they are held by: " in told
    assert told.count("holder (process") == 2


def test_shares_of_another_size_wait(halves, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    context = multiprocessing.get_context("fork")
    log, freed = context.Queue(), context.Event()
    half = context.Process(target=hold_until, args=(1, log, freed))
    half.start()
    assert log.get(timeout=20) == [("GPU-aaaa", 0)]
    monkeypatch.setenv(SHARES, "4")
    quarter = context.Process(target=use_gpus, args=(1, log))
    quarter.start()
    time.sleep(0.5)
    assert log.empty()
    freed.set()
    assert log.get(timeout=20)[0] == ["GPU-aaaa"]
    for process in (half, quarter):
        process.join()


def test_a_sidecar_says_how_long_gpus_were_held_and_not_how_long_they_were_waited_for(monkeypatch):
    """Two halves of the first GPU; the clock goes on by 10 s while one waits for it, and by 3 s while it is held."""
    clock = iter([0.0, 10.0, 13.0])
    monkeypatch.setattr("opsft_flow.machine.gpus.time.monotonic", lambda: next(clock))
    monkeypatch.setenv(SHARES, "2")
    facts, phases = {}, {}
    with borrow_for_node(facts, phases, 1, "half"):
        pass
    assert phases == {WAITING: 10.0}
    assert facts == {"gpus": ["GPU-aaaa"], "gpus_held": 0.5, "gpu_seconds": 1.5}


def test_on_several_machines_every_gpu_counts_from_when_its_lender_held_it(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aaaa,GPU-bbbb")
    monkeypatch.setenv(SINCE, "100.0")
    monkeypatch.setattr("opsft_flow.machine.gpus.time.time", lambda: 107.0)
    assert facts_of_starter(machines=2) == {"gpus": ["GPU-aaaa", "GPU-bbbb"], "gpus_held": 4.0, "gpu_seconds": 28.0}
