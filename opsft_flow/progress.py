"""Progress lines for a log: how far, how fast, how long still."""

import time
from collections.abc import Callable


def reporter(what: str, unit: str, every_s: float = 5.0, most: int | None = None) -> Callable[[int, int, int], None]:
    """A function (done, total, amount) that prints at most one line in `every_s` seconds, and a last one at the end.

    `amount` counts `unit` (tokens, say) done so far; its rate is printed. `most` bounds the amount of the whole, where known: the
    time left is never said to be more than that bound needs.
    """
    started = time.monotonic()
    last = started

    def report(done: int, total: int, amount: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < every_s:
            return
        last = now
        elapsed = max(now - started, 1e-9)
        rate = amount / elapsed
        guesses = [elapsed / done * (total - done)] if done else []
        guesses += [(most - amount) / rate] if most and rate else []
        left = f"{min(guesses):.0f} s left" if guesses else "time left unknown"
        print(f"{what} {done:,}/{total:,} | {amount:,} {unit} | {rate:,.0f} {unit}/s | {left}", flush=True)

    return report
