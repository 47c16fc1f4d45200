"""What was changed and can be undone: frozen, so that a click can never half happen."""

from dataclasses import dataclass, replace

from vlmlens.ui.counterfactual.changes import Changes

MOST = 100
NOTHING = Changes()


@dataclass(frozen=True)
class History:
    """`base` is what the browser was last given to show, `version` its number: rows are told by their place in it.

    `rows`: those places in the order of `now`, since the browser may have moved and removed some.
    """

    now: Changes = NOTHING
    past: tuple[Changes, ...] = ()
    future: tuple[Changes, ...] = ()
    base: Changes = NOTHING
    rows: tuple[int, ...] = ()
    version: int = 0
    dragging: bool = False  # a slider is held: what it passes is one change

    @classmethod
    def of(cls, now: Changes) -> "History":
        """Nothing to undo yet."""
        return cls(now)._shown()

    def told(self, now: Changes, rows: tuple[int, ...], settled: bool = True) -> "History":
        """The browser changed something and shows it already."""
        if now == self.now:
            return replace(self, dragging=self.dragging and not settled)
        past = self.past if self.dragging else (*self.past, self.now)[-MOST:]
        return replace(self, now=now, rows=rows, past=past, future=(), dragging=not settled)

    def made(self, now: Changes) -> "History":
        """The page changed something; the browser is to show it."""
        if now == self.now:
            return self
        return replace(self, now=now, past=(*self.past, self.now)[-MOST:], future=())._shown()

    def undone(self) -> "History":
        if not self.past:
            return self
        return replace(self, now=self.past[-1], past=self.past[:-1], future=(self.now, *self.future))._shown()

    def redone(self) -> "History":
        if not self.future:
            return self
        return replace(self, now=self.future[0], past=(*self.past, self.now), future=self.future[1:])._shown()

    def _shown(self) -> "History":
        rows = tuple(range(len(self.now.steps) + len(self.now.words)))
        return replace(self, base=self.now, rows=rows, version=self.version + 1, dragging=False)
