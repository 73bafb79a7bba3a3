"""Why jobs would run, in words, and in groups where they are many."""

from opsft_flow.graph.why import PlannedJob, every_job, in_groups, totals

A, B = "m/r/L12/seed0", "m/r/L32/seed0"


def job(rule="sft", at=f"{A}/iter1", made=True, **found) -> PlannedJob:
    return PlannedJob(rule, at, made, **found)


def test_each_kind_of_reason_has_its_words():
    assert job(made=False, renewed=("policy.json",)).why == "has not been made yet"
    assert job(changes=("sft.lr: 1 -> 2",), renewed=("policy.json",)).why == "sft.lr: 1 -> 2"
    assert job(changed=("p.parquet",)).why == "input p.parquet has changed"
    assert job(renewed=("p.parquet", "q.parquet")).why == "input p.parquet is made anew"
    assert job(missing=("policy.json",)).why == "policy.json is missing"
    assert job(added=2, dropped=1).why == "its inputs are others: 2 more, 1 fewer"
    assert job(begun=True, other=("forced",)).why == "was begun and has not ended: it runs now, or was cut off"
    assert job(other=("forced",)).why == "forced"
    assert job().why == "is needed again by a job that would run"


def test_of_many_causes_three_are_named():
    assert job(changes=tuple("abcde")).why == "a; b; c; and 2 more"


def test_every_job_has_a_line_in_columns():
    jobs = [job("evaluate", f"{A}/iter1/eval/e", changes=("x: 1 -> 2",)), job(made=False)]
    assert every_job(jobs) == [
        f"evaluate  {A}/iter1/eval/e  x: 1 -> 2",
        f"sft       {A}/iter1         has not been made yet",
    ]
    assert every_job([]) == []


def test_in_groups_an_iteration_is_one_of_a_span_and_followers_are_counted():
    jobs = [job(at=f"{point}/iter{i}", changes=("sft.lr: 1 -> 2",)) for i in range(1, 101) for point in (B, A)]
    jobs += [job("generate", f"{A}/iter{i}/train", renewed=("policy.json",)) for i in range(2, 101)]
    jobs += [
        job("verify", f"{A}/iter2/train", renewed=("rollouts.parquet",)),
        job("summary", "summary", changes=("y",)),
    ]
    assert [" ".join(line.split()) for line in in_groups(jobs)] == [
        f"sft {A}/iter1-100 sft.lr: 1 -> 2",
        f"... {A} and 100 more that follow: generate 99, verify 1",
        f"sft {B}/iter1-100 sft.lr: 1 -> 2",
        "summary summary y",
    ]


def test_a_group_of_training_and_benchmarks_is_named_by_what_they_share():
    places = [f"{A}/iter1/train", f"{A}/iter1/eval/e", f"{A}/iter2/eval/e"]
    assert in_groups([job("generate", at, made=False) for at in places]) == [
        f"generate  {A}/iter1-2  has not been made yet"
    ]


def test_totals_count_kinds_and_reasons():
    jobs = [job(made=False), job(changes=("a",)), job("page", "summary", renewed=("x",))]
    assert totals(jobs) == [
        "3 jobs: sft 2, page 1",
        "1 of them have not been made yet, 1 have changed, 1 follow from these",
    ]
    assert totals([]) == ["Nothing would run: every result is there, made as the configuration says."]
