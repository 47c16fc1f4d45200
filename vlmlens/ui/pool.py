"""Models in memory: loaded once for all browser sessions, let go when nobody uses them any more.

A session holds the models that it is asking at the moment, and remembers which it has asked. Where memory is short, or
there are more than `MOST_LARGE`, the least recently asked model goes that no session holds. When a session ends, what
no other session has asked goes soon after it. Lab and planted models are small and stay.

Knows nothing of Streamlit, so that the launcher can warm it before the first page.
"""

import ctypes
import gc
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field

import torch

from vlmlens.errors import NoRoom, forget_frames
from vlmlens.models import VLM, lab_models, load, ours
from vlmlens.models.detail import Detail
from vlmlens.progress import Progress

DEFAULT = "lab:concat"
PAUSE = 4.0  # seconds before each model that nobody has asked for yet
GRACE = 30.0  # seconds
MOST_LARGE = 2  # models other than the lab's kept at once, unless more are held


@dataclass(frozen=True)
class How:
    """How a model is to be loaded; see `vlmlens.load`."""

    device: str = "auto"
    dtype: str = "auto"
    detail: Detail = "full"


AS_IT_COMES = How()


@dataclass
class Session:
    """One person's browser tab."""

    holds: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)


_lock = threading.Lock()
_models: "OrderedDict[str, Future[VLM]]" = OrderedDict()
_sessions: dict[str, Session] = {}


def get(name: str, how: How = How(), progress: Progress | None = None) -> VLM:
    """The model of this name, loading it if it is not here; a second caller waits for the first one's load."""
    with _lock:
        future = _models.get(name)
        mine = future is None
        if future is None:
            future = _models[name] = Future()
        _models.move_to_end(name)
    if mine:
        try:
            future.set_result(_load(name, how, progress))
        except BaseException as error:
            with _lock:
                _models.pop(name, None)  # a failed load may be tried again
            forget_frames(error)
            future.set_exception(error)
            give_back()
            raise
        while len(_large()) > MOST_LARGE and _drop_oldest(but=name):
            pass
    return future.result()


def _load(name: str, how: How, progress: Progress | None) -> VLM:
    """A model, in the place of others that nobody holds if there is no room beside them."""
    while True:
        try:
            return load(name, how.device, how.dtype, detail=how.detail, progress=progress)
        except NoRoom:
            if not _drop_oldest(but=name):
                raise


def here(name: str) -> bool:
    """Whether `get` would return at once."""
    future = _models.get(name)
    return future is not None and future.done()


def hold(session: str, names: Iterable[str]) -> None:
    """A session asks these models from here on, and no others."""
    with _lock:
        found = _sessions.setdefault(session, Session())
        found.holds = set(names)
        found.asked |= found.holds


def leave(session: str) -> None:
    """A session has ended: what only it has asked is let go, unless somebody asks it within `GRACE`.

    A browser that is reloaded ends one session and begins another.
    """
    with _lock:
        asked = _sessions.pop(session, Session()).asked
    names = [name for name in asked if not ours(name)]
    if not names:
        return
    if not GRACE:
        _let_go(names)
        return
    timer = threading.Timer(GRACE, _let_go, [names])
    timer.daemon = True
    timer.start()


def _let_go(names: list[str]) -> None:
    with _lock:
        wanted = set().union(*(session.asked for session in _sessions.values()))
    for name in names:
        if name not in wanted:
            drop(name)


def drop(name: str) -> None:
    """Forget a model and give its memory back; who is using it at the moment finishes first."""
    with _lock:
        _models.pop(name, None)
    give_back()


def loaded() -> list[VLM]:
    """The models other than the lab's, the least recently asked first."""
    with _lock:
        futures = [_models[name] for name in _large()]
    return [future.result() for future in futures if future.done() and future.exception() is None]


def give_back() -> None:
    """What is no longer used, back to the system: models hold themselves in cycles, allocators keep what is freed."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
    with suppress(OSError, AttributeError):  # only glibc has it
        ctypes.CDLL(None).malloc_trim(0)


def _large() -> list[str]:
    return [name for name in _models if not ours(name)]


def _drop_oldest(but: str) -> bool:
    """Let go of the least recently asked model that no session holds. Returns whether there was one."""
    with _lock:
        held = set().union(*(session.holds for session in _sessions.values()))
        free = [name for name in _large() if name != but and name not in held and _models[name].done()]
        for name in free[:1]:
            del _models[name]
    if free:
        give_back()
    return bool(free)


def warm() -> threading.Thread:
    """Load the lab models in the background, the default first, then the PID solver. What fails says so when asked for.

    The others wait until the first page is likely to stand, and do not compete with it.
    """

    def work() -> None:
        for listed in sorted(lab_models(), key=lambda model: model.name != DEFAULT):
            if not listed.present:
                continue
            if listed.name != DEFAULT and not here(listed.name):
                time.sleep(PAUSE)
            get(listed.name).check()  # once more: the first pass of a process is the slow one
            gc.freeze()  # a full collection over all that torch and transformers hold stops every session for 0.3 s
        time.sleep(PAUSE)
        from vlmlens.information import decompose, gate

        decompose(gate("XOR"))  # the solver is compiled at its first use, once a machine

    thread = threading.Thread(target=work, name="warm", daemon=True)
    thread.start()
    return thread
