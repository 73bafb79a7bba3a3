"""Which steps of a point's run Weights & Biases has, as far as is known on this machine.

`segments.json` beside the runs says up to which step each offline segment goes, and up to which step a run was sent online.
"""

import shutil
from pathlib import Path

from opsft_flow.files import read_json, write_json


class Segments:
    """The offline segments of a point's run in `point/wandb`; `run` is its entity and id.

    Those of another run, with settings that the point had before, count as unsent.
    """

    def __init__(self, point: Path, run: str) -> None:
        self.folder, self.run = point / "wandb", run
        self.record = self.folder / "segments.json"
        known = read_json(self.record) if self.record.exists() else {}
        own = known.get("run") == run
        self.online: int = known["online"] if own else 0
        self.offline: dict[str, int] = known["offline"] if own else {}

    def sent_steps(self) -> int:
        """The number of steps that were sent."""
        return max([self.online, *(steps for name, steps in self.offline.items() if self.was_sent(name))])

    def was_sent(self, name: str) -> bool:
        """True for a segment that `wandb sync` has sent or begun to send, and for one that is gone: `wandb clean` removes what was sent."""
        segment = self.folder / name
        return not segment.exists() or any(segment.glob("*.wandb.sync*"))

    def drop_unsent(self) -> None:
        """Remove the segments that were not sent: they are written anew, from results that may have changed since."""
        self.offline = {name: steps for name, steps in self.offline.items() if self.was_sent(name)}
        if self.folder.exists():
            self.write()
        for segment in self.folder.glob("offline-run-*"):
            if segment.name not in self.offline:
                shutil.rmtree(segment)

    def note(self, segment: str | None, steps: int) -> None:
        """Remember that a segment, or None for what was sent online, goes up to `steps` steps."""
        if segment is None:
            self.online = steps
        else:
            self.offline[segment] = steps
        self.write()

    def write(self) -> None:
        write_json(self.record, {"run": self.run, "online": self.online, "offline": self.offline})
