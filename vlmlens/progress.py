"""How far long work has come, and the wish to stop it: one object, handed down to whoever loops."""

import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

from vlmlens.errors import UserError

T = TypeVar("T")


class Cancelled(UserError):
    """The person asked for the work to stop."""


class Progress:
    """Written by one worker, read by anyone. `cancel` and `pause` take effect at the worker's next step."""

    def __init__(self) -> None:
        self.fraction = 0.0
        self.doing = ""
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()

    @property
    def paused(self) -> bool:
        return not self._go.is_set()

    def pause(self) -> None:
        self._go.clear()

    def resume(self) -> None:
        self._go.set()

    def cancel(self) -> None:
        self._stop.set()
        self._go.set()

    def check(self) -> None:
        """Wait while the work is paused. Raises Cancelled where the person asked to stop."""
        self._go.wait()
        if self._stop.is_set():
            raise Cancelled("The work was cancelled.")

    def step(self, fraction: float, doing: str = "") -> None:
        """Say how far the work is, and `check`."""
        self.check()
        self.fraction, self.doing = fraction, doing

    def over(self, parts: Iterable[T], count: int, doing: str = "") -> Iterator[T]:
        """The parts of a loop, a step before each."""
        for done, part in enumerate(parts):
            self.step(done / max(1, count), doing and f"{doing} {done + 1} of {count}")
            yield part
