"""Bring the Weights & Biases run of a point up to an iteration. Nothing that goes wrong here fails the science."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from opsft_flow.files import check_room, write_json
from opsft_flow.node import node
from opsft_flow.points import Point
from opsft_flow.tracking import forget_later, has_key, outcome_of, run_identity, steps_of

# Of a run of no steps; W&B ends well where the disk has none.
ROOM_FOR_RUN = 1 << 20

NO_KEY = "not sent: W&B finds no API key; `wandb login` or WANDB_API_KEY gives it one"


def send(payload: dict, timeout_s: float) -> str:
    """Write the run in a process of its own, and say how it ended."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "payload.json"
        write_json(file, payload)
        command = [sys.executable, "-P", "-m", "opsft_flow.tracking", str(file)]
        try:
            done = subprocess.run(command, timeout=timeout_s, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return f"not sent: no answer within track.timeout_s ({timeout_s} s)"
    return "written" if done.returncode == 0 else f"not sent: the writer ended with status {done.returncode}"


def main() -> None:
    with node(__doc__, inputs=(), outputs=("tracked",), may_take=False) as job:
        settings = job.settings
        point, block = Point(**settings["point"]), settings["track"]
        identity = run_identity(block["project"], point, settings["config"])
        folder = f"{settings['results']}/{point.path}"
        status = "disabled"
        if block["mode"] != "disabled":
            payload = {
                "mode": block["mode"],
                "project": block["project"],
                "entity": block["entity"],
                "timeout_s": block["timeout_s"],
                "folder": folder,
                "config": settings["config"],
                "identity": {**identity, "tags": [*identity["tags"], *block["tags"]]},
                "steps": steps_of(settings["results"], point, settings, settings["iteration"]),
                "summary": outcome_of(settings["results"], point, settings["iteration"]),
            }
            room = ROOM_FOR_RUN + 2 * len(json.dumps(payload))
            check_room(Path(job.tracked).parent, room, f"the run of {point.path} in {folder}/wandb")
            with job.phase("write"):
                keyless = block["mode"] == "online" and not has_key()
                status = NO_KEY if keyless else send(payload, block["timeout_s"])
                if status != "written" and block["mode"] == "online":
                    offline = send({**payload, "mode": "offline"}, block["timeout_s"])
                    status = f"{status}; offline: {offline}"
        if status not in ("written", "disabled"):
            print(
                f"warning: {status}. `wandb sync {folder}/wandb/offline-run-*` sends what was written offline",
                flush=True,
            )
        forget_later(settings["results"], point, settings["iteration"])
        write_json(
            job.tracked, {"status": status, "mode": block["mode"], "id": identity["id"], "project": block["project"]}
        )


if __name__ == "__main__":
    main()
