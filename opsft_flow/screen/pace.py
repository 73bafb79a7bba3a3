"""How fast the jobs of a run end, and how long it will still take."""

import time
from collections import Counter
from collections.abc import Callable, Mapping

FEWEST_JOBS = 3
"""After fewer jobs than these nothing is said."""


class Pace:
    """Counts the jobs of a run that have ended. `counts` are all that are to run, by kind; `now` gives the time in seconds."""

    def __init__(self, counts: Mapping[str, int], now: Callable[[], float] = time.monotonic) -> None:
        self.counts, self.now, self.began = Counter(counts), now, now()
        self.ended: Counter = Counter()
        self.seconds: Counter = Counter()

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def done(self) -> int:
        return self.ended.total()

    @property
    def elapsed(self) -> float:
        return max(self.now() - self.began, 1e-9)

    def end(self, kind: str, seconds: float) -> None:
        """A job of this kind has ended, after so many seconds."""
        self.ended[kind] += 1
        self.seconds[kind] += seconds

    def seconds_left(self) -> float:
        """The jobs that are left, each as long as the mean of its kind or, of a new kind, of all; as many at once as so far."""
        mean = self.seconds.total() / self.done
        work = sum(
            (count - self.ended[kind]) * (self.seconds[kind] / self.ended[kind] if self.ended[kind] else mean)
            for kind, count in self.counts.items()
        )
        at_once = self.seconds.total() / self.elapsed
        return work / max(at_once, 1e-9)

    def text(self) -> str:
        """Rate and time left; nothing while too little is known, or when all is done."""
        if not FEWEST_JOBS <= self.done < self.total:
            return ""
        a_minute = 60 * self.done / self.elapsed
        return f"{a_minute:,.1f} jobs/min, {duration(self.seconds_left())} left"


def duration(seconds: float) -> str:
    """A length of time in one or two units."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if minutes else f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min"
