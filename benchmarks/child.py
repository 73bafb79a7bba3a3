"""Measure in a process of its own, so that nothing measured before is in the way; it may be another environment's Python.

`python -m benchmarks.child MODULE JOB RESULT` calls `MODULE.measure(job)` with the JSON of one file and writes what it returns to the other.
"""

import importlib
import json
import pathlib
import sys
import tempfile

from benchmarks.watch import run_watched


def measure_in_child(module: str, job: dict, python: str = sys.executable) -> dict:
    """What `module.measure(job)` returns, with the wall-clock and the peak memory of its whole process as `process`.

    Raises RuntimeError with the end of its output where the process fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        job_file, result_file, log = (pathlib.Path(folder, name) for name in ("job.json", "result.json", "log"))
        job_file.write_text(json.dumps(job))
        watched = run_watched([python, "-m", "benchmarks.child", module, str(job_file), str(result_file)], log)
        return {**json.loads(result_file.read_text()), "process": vars(watched)}


def main() -> None:
    module, job_file, result_file = sys.argv[1:]
    result = importlib.import_module(module).measure(json.loads(pathlib.Path(job_file).read_text()))
    pathlib.Path(result_file).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
