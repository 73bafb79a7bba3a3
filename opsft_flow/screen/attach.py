"""Puts the screen in the place of what Snakemake prints. Of Snakemake, this uses its logger's handlers and the events that it gives to plugins."""

import builtins
import logging
import re
import signal
import sys
from collections.abc import Callable
from typing import TextIO

from snakemake.settings.enums import Quietness
from snakemake_interface_logger_plugins.common import LogEvent

from opsft_flow.machine.printable import printable
from opsft_flow.screen.screen import Job, Screen

SCREEN_HANDLER = "DefaultStreamHandler"
"""The name of Snakemake's handler that prints."""

# By this name `squeue --name` lists the jobs of a run.
TOLD = ("SLURM run ID",)
UNTOLD = ("Assuming unrestricted shared filesystem usage", "Building DAG of jobs")
"""How messages begin that come before a run and say nothing."""

INTERRUPTED = ("Terminating processes on user request", "Will exit after finishing currently running jobs")
NOTHING_TO_DO = "Nothing to be done"

TOLD_BETTER = (
    "Exiting because a job execution failed",
    "WorkflowError:\nAt least one job did not complete successfully",
    "RuleException:\nCalledProcessError",
)
"""How errors begin that only say that a job has failed."""


PLACES = re.compile(r'WorkflowError in file ".*", line \d+:\n|\n  File ".*", line \d+, in \S+')
"""What Snakemake says of where a rule file has refused something: of no use to who is to mend the configuration."""


class PrintableFormatter(logging.Formatter):
    """Formats as another does; nothing in the text is obeyed by a terminal. With `places`, errors say where in the rules they arose."""

    def __init__(self, formatter: logging.Formatter, places: bool) -> None:
        super().__init__()
        self.formatter, self.places = formatter, places

    def format(self, record: logging.LogRecord) -> str:
        text = self.formatter.format(record) or ""
        return printable(text if self.places else without_places(record, text))


def without_places(record: logging.LogRecord, text: str) -> str:
    """The text of a record; where it is a refusal, or of a file that cannot be used, without the lines of code that it went through."""
    kind = getattr(record, "exception", None) or ""
    if kind == "WorkflowError":
        return PLACES.sub("", text)
    if issubclass(getattr(builtins, kind, object), OSError):
        last = text.rstrip().rpartition("\n")[2]
        return f"{last.removeprefix(kind + ': ')}. When that is mended, run the same command again; --verbose shows where it arose"
    return text


class ScreenHandler(logging.Handler):
    """Tells a screen what Snakemake says."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self.screen, self.begun = screen, False
        self.told = {
            LogEvent.WORKFLOW_STARTED: self.begin,
            LogEvent.RUN_INFO: self.plan,
            LogEvent.JOB_INFO: lambda record: screen.begin(record.jobid, job_of(record)),
            LogEvent.JOB_FINISHED: lambda record: screen.end(record.job_id),
            LogEvent.JOB_ERROR: lambda record: screen.fail(record.jobid, job_of(record, screen), record.rule_msg or ""),
            LogEvent.ERROR: self.say,
            None: self.say,
        }

    def emit(self, record: logging.LogRecord) -> None:
        try:
            tell = self.told.get(getattr(record, "event", None))
            if tell is not None:
                tell(record)
        except Exception:
            self.handleError(record)

    def begin(self, record: logging.LogRecord) -> None:
        self.begun = True

    def plan(self, record: logging.LogRecord) -> None:
        self.screen.plan({kind: count for kind, count in record.stats.items() if kind != "total"})

    def say(self, record: logging.LogRecord) -> None:
        """Pass on what the screen does not tell by itself."""
        text = record.getMessage() if record.msg is not None else ""
        if text.startswith(INTERRUPTED):
            self.screen.interrupt()
        elif record.levelno >= logging.WARNING:
            if not text.startswith(TOLD_BETTER) and not self.screen.interrupted:
                self.screen.say(without_places(record, text))
        elif text.startswith(NOTHING_TO_DO):
            self.screen.nothing_to_do = True
            self.screen.say(text)
        elif text.startswith(TOLD) or (not self.begun and not text.startswith(UNTOLD)):
            self.screen.say(text)

    def close(self) -> None:
        self.screen.close()
        super().close()


def job_of(record: logging.LogRecord, screen: Screen | None = None) -> Job:
    """The job that an event is about; what it was begun with, where a screen knows that."""
    begun = screen.running.get(record.jobid) if screen else None
    if begun is not None:
        return Job(begun.kind, begun.what, begun.outputs, record.log, begun.began)
    return Job(record.rule_name, record.rule_msg or record.rule_name, record.output, record.log)


class LastWords(logging.Handler):
    """Prints lines when Snakemake has said all; none after an error."""

    def __init__(self, stream: TextIO, lines: Callable[[], list[str]]) -> None:
        super().__init__(level=logging.ERROR)
        self.stream, self.lines = stream, lines

    def emit(self, record: logging.LogRecord) -> None:
        self.lines = list

    def close(self) -> None:
        lines, self.lines = self.lines, list
        for line in lines():
            print(printable(line), file=self.stream, flush=True)
        super().close()


def attach_screen(workflow, closing: Callable[[], list[str]], planned: Callable[[], list[str]]) -> None:
    """Show this run on a screen of ours, unless Snakemake's own words are asked for or another logger has been chosen.

    `--verbose`, `--printshellcmds`, `--debug-dag`, `--quiet all` and a dry run keep Snakemake's words; the lines of `planned` follow those of
    a dry run.
    """
    manager, asked = workflow.logger_manager, workflow.output_settings
    for handler in manager.logger.handlers:
        if handler.formatter is not None and not isinstance(handler.formatter, PrintableFormatter):
            handler.setFormatter(PrintableFormatter(handler.formatter, places=asked.verbose))
    printed = [handler for handler in manager.logger.handlers if handler.name == SCREEN_HANDLER]
    quiet = set(asked.quiet or ())
    if asked.dryrun and Quietness.ALL not in quiet and printed:
        manager.logger.addHandler(LastWords(printed[0].stream, planned))
    if (
        asked.dryrun
        or asked.verbose
        or asked.printshellcmds
        or asked.debug_dag
        or Quietness.ALL in quiet
        or not printed
    ):
        return
    manager.logger.removeHandler(printed[0])
    screen = Screen(printed[0].stream, closing, shows_jobs=not quiet & {Quietness.RULES, Quietness.PROGRESS})
    manager.logger.addHandler(ScreenHandler(screen))
    leave_without_traceback(screen)


def leave_without_traceback(screen: Screen) -> None:
    """Have Ctrl-C told to the screen before jobs that it ends are, and have Python print nothing of it."""
    stop, hook = signal.getsignal(signal.SIGINT), sys.excepthook

    def interrupt(number, frame):
        screen.interrupt()
        return stop(number, frame)

    if callable(stop):
        signal.signal(signal.SIGINT, interrupt)
    sys.excepthook = lambda kind, *rest: None if issubclass(kind, KeyboardInterrupt) else hook(kind, *rest)
