"""What did the class predict? Sessions of a teacher and learners, in this process's memory and nowhere else.

    opened = open_class()                            # code for the board, key for the teacher alone
    who = join(opened.code)
    commit(opened.code, "xor", 2, who, "synergy")    # the first one stands
    tally(opened.code, "xor", 2, opened.key).counts  # {"synergy": 1}
    end(opened.code, opened.key)                     # nothing is left

Nothing is written to a disk and no name is asked for: a learner is a random id. All functions may be called from any
thread; they speak of the one `Classes` of this process.
"""

import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

from vlmlens.errors import UserError

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"  # no vowels, so no words by accident; none that looks like another or like a digit
CODE_LENGTH = 4
IDLE = 3 * 3600.0  # seconds after which a class in which nobody did anything ends by itself
AWAY = 30 * 60.0  # seconds after which a learner who did nothing counts as gone; what he predicted stays
MOST_CLASSES = 20
MOST_LEARNERS = 200  # in a class
MOST_STEPS = 100  # predictions of one learner, over all lessons
LONGEST = 120  # characters of a choice, of a lesson's name


class ClassError(UserError):
    """A class is not there, is full, or does not allow this; the message says what to do."""


@dataclass(frozen=True)
class Opened:
    """A new class. `code` is for everybody; whoever has `key` is the teacher."""

    code: str
    key: str


@dataclass(frozen=True)
class Tally:
    """What the class predicted at one step. `counts` in the order in which the choices first came."""

    lesson: str
    step: int
    counts: Mapping[str, int]
    learners: int  # in the class, whether or not they predicted
    open: bool  # whether what follows may be shown

    @property
    def committed(self) -> int:
        return sum(self.counts.values())


@dataclass(frozen=True)
class Place:
    """How many learners are at a step."""

    lesson: str
    step: int
    learners: int


@dataclass(frozen=True)
class Roll:
    """A class as its teacher sees it: how many joined, where those are that are still there."""

    code: str
    learners: int
    away: int  # of these, who did nothing for `AWAY` seconds
    places: tuple[Place, ...]  # by lesson and step; who only joined is nowhere
    holding: bool  # whether reveals wait for the teacher


@dataclass(eq=False)
class _Class:
    key: str
    touched: float
    seen: dict[str, float] = field(default_factory=dict)  # learner -> when last
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    choices: dict[tuple[str, int], dict[str, str]] = field(default_factory=dict)  # (lesson, step) -> learner -> choice
    holding: bool = False
    released: set[tuple[str, int]] = field(default_factory=set)


class Classes:
    """The classes of a process. `clock` gives seconds; tests bring their own."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._classes: dict[str, _Class] = {}
        self._sweeper: threading.Timer | None = None

    def open_class(self) -> Opened:
        """A new class, with nobody in it. Raises ClassError where there are `MOST_CLASSES`."""
        with self._lock:
            self._sweep()
            if len(self._classes) >= MOST_CLASSES:
                raise ClassError(f"This server has {MOST_CLASSES} classes already; end one, or try again later.")
            code = _new_code()
            while code in self._classes:
                code = _new_code()
            opened = Opened(code, secrets.token_urlsafe(18))
            self._classes[code] = _Class(opened.key, self._clock())
            self._sweep_later()
            return opened

    def join(self, code: str) -> str:
        """The id of a new learner of this class. Raises ClassError where it is not there, or full."""
        with self._lock:
            found = self._find(code)
            if len(found.seen) >= MOST_LEARNERS:
                raise ClassError(f"Class {spelled(code)} is full: {MOST_LEARNERS} learners have joined it.")
            who = secrets.token_urlsafe(9)
            self._touch(found, who)
            return who

    def at(self, code: str, lesson: str, step: int, who: str) -> None:
        """Note that a learner is at this step."""
        _check(lesson=lesson)
        with self._lock:
            found = self._learner(code, who)
            self._touch(found, who)
            found.places[who] = (lesson, step)

    def commit(self, code: str, lesson: str, step: int, who: str, choice: str) -> bool:
        """Note what a learner predicts. The first prediction stands: False where it was another one."""
        _check(lesson=lesson, choice=choice)
        with self._lock:
            found = self._learner(code, who)
            self._touch(found, who)
            own = found.choices.get((lesson, step), {})
            if who in own:
                return own[who] == choice
            if sum(who in each for each in found.choices.values()) >= MOST_STEPS:
                raise ClassError(f"A learner may predict {MOST_STEPS} times in a class; open a new one.")
            found.choices.setdefault((lesson, step), {})[who] = choice
            return True

    def committed(self, code: str, lesson: str, step: int, who: str) -> str | None:
        """What a learner predicted here, None before."""
        with self._lock:
            return self._learner(code, who).choices.get((lesson, step), {}).get(who)

    def tally(self, code: str, lesson: str, step: int, key: str | None = None, who: str | None = None) -> Tally:
        """How often each choice was predicted: for the teacher (`key`) at any time, for a learner (`who`) once they
        predicted themselves and the reveal is open. Raises ClassError otherwise."""
        with self._lock:
            found = self._taught(code, key) if who is None else self._learner(code, who)
            own, free = found.choices.get((lesson, step), {}), _open(found, lesson, step)
            if who is not None and not (free and who in own):
                raise ClassError("What the class predicts is shown after your own prediction and the reveal.")
            counts = Counter(own.values())
            return Tally(lesson, step, MappingProxyType(dict(counts)), len(found.seen), free)

    def where(self, code: str, key: str) -> Roll:
        """Who is where. For the teacher alone."""
        with self._lock:
            found = self._taught(code, key)
            since = self._clock() - AWAY
            here = Counter(place for who, place in found.places.items() if found.seen[who] >= since)
            away = sum(when < since for when in found.seen.values())
            places = tuple(Place(lesson, step, here[lesson, step]) for lesson, step in sorted(here))
            return Roll(plain(code), len(found.seen), away, places, found.holding)

    def hold(self, code: str, key: str, holding: bool = True) -> None:
        """Let reveals wait for the teacher, or not. What was released stays open."""
        with self._lock:
            found = self._taught(code, key)
            self._touch(found)
            found.holding = holding

    def release(self, code: str, key: str, lesson: str, step: int) -> None:
        """Open the reveal of one prediction for everybody in the class."""
        _check(lesson=lesson)
        with self._lock:
            found = self._taught(code, key)
            self._touch(found)
            found.released.add((lesson, step))

    def is_open(self, code: str, lesson: str, step: int, who: str) -> bool:
        """Whether a learner may see what follows the prediction at this step."""
        with self._lock:
            return _open(self._learner(code, who), lesson, step)

    def belongs(self, code: str, who: str) -> bool:
        """Whether this learner is in this class; False also where there is none."""
        with self._lock:
            self._sweep()
            found = self._classes.get(plain(code))
            return found is not None and who in found.seen

    def end(self, code: str, key: str) -> None:
        """End a class: its learners, where they are and what they predicted are gone."""
        with self._lock:
            self._taught(code, key)
            del self._classes[plain(code)]

    def __len__(self) -> int:
        with self._lock:
            self._sweep()
            return len(self._classes)

    # With the lock held

    def _find(self, code: str) -> _Class:
        self._sweep()
        found = self._classes.get(plain(code))
        if found is None:
            raise ClassError(
                f"There is no class {spelled(code)}: it has ended, or the code was mistyped. Ask your teacher."
            )
        return found

    def _touch(self, found: _Class, who: str | None = None) -> None:
        """Somebody does something. Looking alone is nothing: a page that was left open keeps no class alive."""
        found.touched = self._clock()
        if who is not None:
            found.seen[who] = found.touched

    def _taught(self, code: str, key: str | None) -> _Class:
        found = self._find(code)
        if not secrets.compare_digest(found.key.encode(), (key or "").encode()):
            raise ClassError(f"Only the teacher of class {spelled(code)} may do that; this is not the teacher's link.")
        return found

    def _learner(self, code: str, who: str) -> _Class:
        found = self._find(code)
        if who not in found.seen:
            raise ClassError(f"You are not in class {spelled(code)}; join it with its code.")
        return found

    def _sweep(self) -> None:
        """Let go of classes that nobody touched."""
        since = self._clock() - IDLE
        for code in [code for code, each in self._classes.items() if each.touched < since]:
            del self._classes[code]

    def _sweep_later(self) -> None:
        """A class that is left alone goes even if nobody ever asks again."""
        if self._sweeper is None or not self._sweeper.is_alive():
            self._sweeper = threading.Timer(IDLE / 4, self._swept)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _swept(self) -> None:
        with self._lock:
            self._sweep()
            self._sweeper = None
            if self._classes:
                self._sweep_later()


def binned(counts: Mapping[str, int], low: float, high: float, bins: int = 10) -> dict[str, int]:
    """Numbers that learners set on a slider, counted in `bins` equal ranges from `low` to `high`, the last one closed.

    What is no number, or lies outside, is left out: the first learner who finds a way around the slider spoils nothing.
    """
    wide = (high - low) / bins
    edges = [low + wide * number for number in range(bins + 1)]
    found = [0] * bins
    for choice, count in counts.items():
        try:
            value = float(choice)
        except ValueError:
            continue
        if low <= value <= high:
            found[min(bins - 1, int((value - low) / wide + 1e-9))] += count
    names = [f"{start:.3g} to {end:.3g}" for start, end in pairwise(edges)]
    return dict(zip(names, found, strict=True))


def spelled(code: str) -> str:
    """A code as it is shown, short whatever was typed."""
    return f"“{plain(code)[:12]}”"


def plain(code: str) -> str:
    """A code as classes know it, whatever was typed between its letters."""
    return "".join(code.split()).replace("-", "").upper()


def _new_code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


def _open(found: _Class, lesson: str, step: int) -> bool:
    return not found.holding or (lesson, step) in found.released


def _check(**texts: str) -> None:
    for name, text in texts.items():
        if len(text) > LONGEST:
            raise ClassError(f"A {name} may have {LONGEST} characters; this one has {len(text)}.")


HERE = Classes()  # of this process; the app has one

open_class = HERE.open_class
join = HERE.join
at = HERE.at
commit = HERE.commit
committed = HERE.committed
tally = HERE.tally
where = HERE.where
hold = HERE.hold
release = HERE.release
is_open = HERE.is_open
belongs = HERE.belongs
end = HERE.end
