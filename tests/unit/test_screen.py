"""The screen of a run, told by the events that Snakemake gives to loggers."""

import io
import json
import logging

import pyarrow
import pyarrow.parquet
import pytest

from opsft_flow.machine.printable import PrintableStream, printable
from opsft_flow.screen.attach import LastWords, PrintableFormatter, ScreenHandler
from opsft_flow.screen.closing import closing_lines
from opsft_flow.screen.logs import message_of
from opsft_flow.screen.pace import Pace, duration
from opsft_flow.screen.paper import Paper
from opsft_flow.screen.screen import Screen

HOSTILE = "p\x1b[2J\x07\x9b31m\u202egnp.exe\ud800 é 数"
SHOWN = "p\\x1b[2J\\x07\\x9b31m\\u202egnp.exe\\ud800 é 数"
FILTER = {"rollouts": 96, "kept": 46, "kept_share": 46 / 96, "budget": 40}
FILTER |= {"before": {"tokens_mean": 32.4, "truncated": 0.48}, "after": {"tokens_mean": 26.5}}
NOTHING = {**FILTER, "kept": 0, "kept_share": 0.0, "after": {"tokens_mean": None}}
METRICS = {"accuracy": {"value": 0.958, "low": 0.9, "high": 1.0}, "tokens": {"mean": {"value": 61.4}}}
METRICS |= {"truncated": {"value": 0.0}}
MANIFEST = {"stopped": None, "copied": False, "metrics": {"loss": 0.0413, "updates": 2, "tokens_trained": 1217}}


class Run:
    """A run of Snakemake of which only the events are there."""

    def __init__(self, folder, closing=lambda: [], shows_jobs=True) -> None:
        self.folder, self.stream = folder, io.StringIO()
        self.handler = ScreenHandler(Screen(self.stream, closing, shows_jobs))

    def tell(self, message, level=logging.INFO, **event) -> None:
        record = logging.LogRecord("snakemake", level, "file", 1, message, (), None)
        record.__dict__.update(event)
        self.handler.handle(record)

    def start(self, **stats) -> None:
        self.tell("Building DAG of jobs...")
        self.tell("Workflow has started!", event="workflow_started")
        self.tell("Using shell: /usr/bin/bash")
        self.tell("Job stats:", event="run_info", stats={**stats, "total": sum(stats.values())})

    def job(self, number, rule, message, output="x", failed=None, log="") -> None:
        """Run a job that writes `output`, or fails and leaves a log."""
        files = {"output": [output], "log": [str(self.folder / f"{number}.log")], "rule_msg": message}
        job = {"jobid": number, "rule_name": rule, **files}
        self.tell(f"rule {rule}", event="job_info", reason="Input files updated by another job: a, b", **job)
        if failed is None:
            self.tell("Finished", event="job_finished", job_id=number)
            self.tell(None, event="progress", done=1, total=2)
        else:
            (self.folder / f"{number}.log").write_text(log)
            self.tell("Error in rule", logging.ERROR, event="job_error", **{**job, "rule_msg": failed})
            self.tell("RuleException:\nCalledProcessError in file x", logging.ERROR, event="error")

    def end(self) -> list[str]:
        self.handler.close()
        self.handler.close()
        return self.stream.getvalue().splitlines()


@pytest.fixture
def run(tmp_path):
    return Run(tmp_path)


@pytest.mark.parametrize(
    ("name", "result", "told"),
    [
        ("filter.json", FILTER, "kept 46 of 96 (48%), mean 26.5 tokens of 32.4, 48% cut off at 40 tokens"),
        ("filter.json", NOTHING, "NOTHING KEPT of 96 responses: 48% cut off at 40 tokens, the policy stays as it is"),
        ("metrics.json", METRICS, "accuracy 95.8% [90.0%, 100.0%], mean 61.4 tokens, 0.0% cut off"),
        ("policy.json", MANIFEST, "loss 0.0413, 2 updates, 1,217 tokens"),
        ("policy.json", {**MANIFEST, "copied": True}, "NOT TRAINED: the policy is its parent"),
        ("policy.json", {**MANIFEST, "stopped": {"iteration": 1}}, "not trained: the point has stopped"),
        ("stop.json", {"stopped": {"message": "one is enough"}}, "the point stops: one is enough"),
        ("tracked.json", {"mode": "offline", "status": "written"}, "offline, written"),
        # What cannot be read is only not told.
        ("filter.json", [], ""),
        ("filter.json", None, ""),
    ],
)
def test_a_line_a_job_says_what_it_found(run, tmp_path, name, result, told):
    if result is not None:
        (tmp_path / name).write_text(json.dumps(result))
    run.start(filter=1)
    run.job(1, "filter", "filter the point", str(tmp_path / name))
    line, *_ = run.end()
    assert line.startswith(f"1/1 filter the point: {told} (" if told else "1/1 filter the point (")


def test_sampling_and_grading_are_told_from_tables_and_sidecars(run, tmp_path):
    pyarrow.parquet.write_table(pyarrow.table({"text": ["a", "b"]}), tmp_path / "rollouts.parquet")
    (tmp_path / "rollouts.run.json").write_text(json.dumps({"run": {"tokens": 5, "tokens_per_second": 12.4}}))
    pyarrow.parquet.write_table(pyarrow.table({"correct": [True, False]}), tmp_path / "verdicts.parquet")
    run.start(generate=1, verify=1)
    run.job(1, "generate", "sample it", str(tmp_path / "rollouts.parquet"))
    run.job(2, "verify", "grade it", str(tmp_path / "verdicts.parquet"))
    jobs, sampled, graded, ended = run.end()
    assert jobs == "2 jobs: 1 generate, 1 verify"
    assert ended.startswith("2 jobs done in ")
    assert "sample it: 2 responses, mean 2.5 tokens, 12 tokens/s" in sampled
    assert "grade it: 1 of 2 correct (50.0%)" in graded


def test_iterations_that_train_nothing_are_told_at_the_end_and_the_finding_is_last(tmp_path):
    (tmp_path / "report.html").touch()
    (tmp_path / "findings.md").write_text("# Found\n\n- **m on b**: nothing\n\n## m on b\n\nmore\n")
    run = Run(tmp_path, lambda: closing_lines(str(tmp_path)))
    (tmp_path / "filter.json").write_text(json.dumps(NOTHING))
    run.start(filter=1)
    run.job(1, "filter", "filter it", str(tmp_path / "filter.json"))
    *_, empty, page, finding = run.end()
    assert empty.startswith("NOTHING SURVIVED THE FILTER in 1 of the 1 iterations")
    assert page.endswith("report.html")
    assert finding == "m on b: nothing"


def test_a_failed_nodes_own_message_is_last_and_a_job_that_ends_well_at_last_has_not_failed(run):
    run.start(sft=2, generate=1)
    run.job(3, "generate", "sample it", failed="out of memory", log="")
    run.job(3, "generate", "sample it")
    run.job(1, "sft", "train it", failed="", log="updates 1/2\nerror: first\nerror: a\nlong message\n")
    run.tell("Exiting because a job execution failed. Look above", logging.ERROR)
    run.tell("WorkflowError:\nAt least one job did not complete successfully.", logging.ERROR, event="error")
    lines = run.end()
    assert lines[-3:] == [f"failed: train it ({run.folder}/1.log)", "error: a", "long message"]
    assert "1 failed, 1 of 3 jobs are done. When it is mended, run the same command again" in lines[-4]
    assert not any("WorkflowError" in line or "RuleException" in line for line in lines)


def test_a_run_that_is_ended_says_in_one_line_how_to_go_on(run):
    run.start(sft=2)
    run.job(1, "sft", "train it")
    run.tell("Terminating processes on user request, this might take some time.")
    run.job(2, "sft", "train it", failed="", log="Traceback (most recent call last):\nKeyboardInterrupt\n")
    lines = run.end()
    assert lines[-1] == "Stopped: 1 of 2 jobs are done; run the same command again, and it goes on from there."
    assert len(lines) == 3


def test_snakemakes_own_words_are_told_where_they_say_something(run):
    run.tell("Unlocked working directory.")
    run.start(sft=1)
    run.tell("Select jobs to execute...")
    run.tell("SLURM run ID: 5")
    run.tell("a warning", logging.WARNING)
    places = '  File "/x/hooks.smk", line 48, in __onstart\n  File "/x/hooks.smk", line 9, in <module>'
    refusal = f'WorkflowError in file "/x/hooks.smk", line 9:\nnothing was sampled: no model\n{places}'
    run.tell(refusal, logging.ERROR, event="error", exception="WorkflowError")
    loop = "[Errno 40] Too many levels of symbolic links: 'results/a.json'"
    trace = f'Traceback (most recent call last):\n  File "/x/io.py", line 614, in mtime\n    os.stat(file)\nOSError: {loop}\n'
    run.tell(trace, logging.ERROR, event="error", exception="OSError")
    lines = run.end()
    assert lines[0] == "Unlocked working directory."
    assert lines[1:4] == ["SLURM run ID: 5", "a warning", "nothing was sampled: no model"]
    assert lines[4:] == [f"{loop}. When that is mended, run the same command again; --verbose shows where it arose"]


@pytest.mark.parametrize(("level", "shown"), [(logging.INFO, ["would drop a"]), (logging.ERROR, [])])
def test_a_dry_run_that_has_failed_says_nothing_after_its_error(level, shown):
    stream = io.StringIO()
    words = LastWords(stream, lambda: ["would drop a"])
    record = logging.LogRecord("snakemake", level, "file", 1, "said", (), None)
    logger = logging.Logger("snakemake")
    logger.addHandler(words)
    logger.handle(record)
    words.close()
    words.close()
    assert stream.getvalue().splitlines() == shown


def test_what_comes_from_data_is_written_out_wherever_it_is_shown(run, tmp_path):
    assert printable(HOSTILE) == SHOWN
    assert printable(SHOWN) == SHOWN
    run.start(sft=1)
    run.job(1, "sft", f"train {HOSTILE}", failed="", log="error: \x1b]0;title\x07\n")
    run.tell(HOSTILE, logging.WARNING)
    text = "\n".join(run.end())
    assert text.count("\\x1b") == 4
    assert "\x1b" not in text
    formatted = PrintableFormatter(logging.Formatter(), places=True).format(
        logging.LogRecord("x", logging.INFO, "", 1, HOSTILE, (), None)
    )
    assert formatted == SHOWN
    log = io.StringIO()
    print(HOSTILE, "1%\r2%", sep="\n", file=PrintableStream(log))
    assert log.getvalue() == f"{SHOWN}\n1%\n2%\n"


def test_a_terminals_last_line_is_written_anew_and_a_file_gets_lines(tmp_path, run):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    (tmp_path / "1.log").write_text("waiting\nresponses 4/8 | 1,024 tokens | 10 tokens/s | 40 s left\r\n")
    run.start(generate=1)
    job = {"jobid": 1, "rule_name": "generate", "rule_msg": "sample it", "output": ["x"], "log": [tmp_path / "1.log"]}
    run.tell("rule", event="job_info", **job)
    line = run.handler.screen.progress()
    assert line == "sample it: responses 4/8 | 1,024 tokens | 10 tokens/s | 40 s left"
    for stream in (Terminal(), io.StringIO()):
        paper = Paper(stream, lambda: line)
        paper.show_progress()
        paper.show_progress()
        paper.write("done")
        written = stream.getvalue()
        if stream.isatty():
            assert written == f"{line}\r\x1b[K{line}\r\x1b[Kdone\n"
        else:
            assert [text[9:] for text in written.splitlines()[:2]] == [line, line]


def test_time_left_follows_from_how_long_jobs_of_each_kind_took():
    times = iter([0.0, 8.0, 8.0, 8.0])
    pace = Pace({"long": 4, "short": 4}, now=lambda: next(times))
    assert pace.text() == ""
    for kind, seconds in (("long", 6.0), ("long", 8.0), ("short", 1.0), ("short", 1.0)):
        pace.end(kind, seconds)
    # Two long ones of 7 s and two short ones of 1 s, two at a time.
    assert pace.seconds_left() == pytest.approx(8.0)
    assert pace.text() == "30.0 jobs/min, 8.0 s left"
    assert [duration(s) for s in (59.6, 90, 7260)] == ["1 min 0 s", "1 min 30 s", "2 h 1 min"]


def test_without_an_error_line_the_last_lines_of_a_log_are_the_message(tmp_path):
    (tmp_path / "a.log").write_text("\n".join(map(str, range(100))))
    assert message_of([str(tmp_path / "a.log"), str(tmp_path / "none")]).splitlines() == list(map(str, range(60, 100)))
