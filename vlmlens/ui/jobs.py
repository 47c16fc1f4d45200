"""Work that may take long: in a thread of its own, with progress and Cancel, shared by whoever asks for the same thing.

    trace = result(("inspect", model, picture, question), "Asking the model", lambda progress: ...)

Returns at once where the work is done or short; otherwise draws a bar with Cancel, raises Pending, and the page comes
back when there is something to show. `live` shows what there is so far, with Pause and Stop:

    live(("probe", model), "Reading the probe set", lambda progress: (partial results, one after the other), draw)

The worker makes no Streamlit call.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar

import numpy as np
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from vlmlens.errors import OutOfMemory, UserError, forget_frames, is_out_of_memory
from vlmlens.progress import Cancelled, Progress
from vlmlens.ui import memory, pool

PATIENCE = 0.7  # seconds before a bar appears
FIRST = 0.15  # seconds in which short work is done without a bar
REDRAW = 0.15  # seconds between two drawings of what grows
MOST_JOBS = 64  # kept results
MOST_BYTES = 1 << 30  # of arrays in them; a large model's trace, every token of its answer recorded, may take 200 MB

DIALOG = "dialog-open"  # in the session's state; a run of the whole page closes a dialog

T = TypeVar("T")
log = logging.getLogger(__name__)


class Pending(Exception):
    """The work is under way and its bar is drawn; `ui.guard` leaves out what would stand below."""


@dataclass(eq=False)
class Job:
    """One piece of work and what came of it."""

    label: str
    key: Hashable = None
    progress: Progress = field(default_factory=Progress)
    began: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    waiting: set[str] = field(default_factory=set)  # sessions; kept for work that belongs to a group
    value: Any = None
    error: BaseException | None = None
    size: int = 0  # bytes

    def work(self, task: Callable[[Progress], Any]) -> None:
        try:
            found = task(self.progress)
            if not isinstance(found, Iterator):
                self.value = found
                return
            for value in found:
                self.value = value
        except BaseException as error:  # handed to the page, which says it in words
            if is_out_of_memory(error):
                self.error = OutOfMemory(memory.told(memory.asked_by(self.key)))
                forget_frames(error)
            else:
                self.error = error
        finally:
            if isinstance(self.error, OutOfMemory):
                pool.give_back()
            self.size = arrays_in(self.value)
            self.done.set()


@st.cache_resource
def _registry() -> "tuple[threading.Lock, OrderedDict[Hashable, Job]]":
    return threading.Lock(), OrderedDict()


def result(
    key: Hashable,
    label: str,
    task: Callable[[Progress], T],
    *,
    keep: bool = True,
    group: str | None = None,
    patience: float | None = None,
) -> T:
    """What `task` returns. `key` names the work by content: the same key is the same result, for every session.

    With `keep=False` the result is handed out once and forgotten, for what is kept elsewhere. A session waits for one
    piece of work of a `group`: one it asked for before is cancelled, unless another session waits for it. `patience`:
    seconds before a bar appears, less for what is known to take long.

    Raises Pending, or whatever the task raised; a cancelled or failed job is forgotten: asking again tries again.
    """
    job = _job(key, label, task)
    if group is not None:
        _wait_for(job, key, f"waits-for-{group}")
    if not job.done.wait(PATIENCE if patience is None else patience):
        _bar(job, key)
        raise Pending(label)
    if job.error is not None or not keep:
        _forget(key)
    if job.error is not None:
        raise job.error
    value: T = job.value
    return value


def begin(key: Hashable, label: str, task: Callable[[Progress], Any]) -> None:
    """Start work that will be asked for next, without waiting for it; `result` with the same key finds it."""
    _job(key, label, task)


def wanted(key: Hashable) -> bool:
    """Whether this session has pressed the button of `offer`."""
    return bool(st.session_state.get(f"wanted-{key}"))


def offer(key: Hashable, label: str, name: str | None = None) -> None:
    """A button for work that is too dear to be done unasked; `name` is its widget's key."""

    def want() -> None:
        st.session_state[f"wanted-{key}"] = True

    st.button(label, key=name, on_click=want)


def live(
    key: Hashable,
    label: str,
    task: Callable[[Progress], Iterator[T]],
    draw: Callable[[T, bool], None],
    first: float = FIRST,
) -> None:
    """Draw the latest of what `task` yields, again and again until it ends; then once more with True.

    Work that was stopped keeps what it had. Whoever asks for the same thing shares the work, its Pause and its Stop.
    `first`: seconds in which work that is short is waited for, and drawn once.

    Raises what the task raised before it yielded anything.
    """
    job = _job(key, label, task)
    last = job.done.wait(first)

    @st.fragment(run_every=None if last else REDRAW)
    def redraw() -> None:
        if job.done.is_set() and not last:
            _come_back()
        if not last:
            _steer(job, key)
        if job.value is None:
            return
        try:
            draw(job.value, last)
        except Exception as error:  # a fragment runs without the page and its guard
            st.error(in_words(error))

    if last and job.error is not None:
        if job.value is None:
            _forget(key)
            raise job.error
        _ended_early(job.error, job.progress.doing, key)
    redraw()


def _job(key: Hashable, label: str, task: Callable[[Progress], Any]) -> Job:
    """The job of this key, started if there is none."""
    lock, jobs = _registry()
    with lock:
        job = jobs.get(key)
        if job is None:
            job = jobs[key] = Job(label, key)
            threading.Thread(target=job.work, args=(task,), name=label, daemon=True).start()
        jobs.move_to_end(key)
        while len(jobs) > 1 and (len(jobs) > MOST_JOBS or sum(each.size for each in jobs.values()) > MOST_BYTES):
            jobs.popitem(last=False)
    return job


def arrays_in(value: Any) -> int:
    """Bytes of the arrays that a result holds, at whatever depth of data classes, tuples and mappings."""
    if isinstance(value, np.ndarray):
        return int(value.nbytes)
    if is_dataclass(value):
        return sum(arrays_in(getattr(value, each.name)) for each in fields(value))
    if isinstance(value, Mapping):
        return sum(map(arrays_in, value.values()))
    return sum(map(arrays_in, value)) if isinstance(value, tuple | list) else 0


def _wait_for(job: Job, key: Hashable, name: str) -> None:
    """Leave what this session waited for under this name; what nobody waits for any more is cancelled."""
    context = get_script_run_ctx()
    session = context.session_id if context else ""
    before = st.session_state.get(name)
    st.session_state[name] = key
    job.waiting.add(session)
    left = None if before in (None, key) else _registry()[1].get(before)
    if left is None or left.done.is_set():
        return
    left.waiting.discard(session)
    if not left.waiting:
        left.progress.cancel()
        _forget(before)


def _forget(key: Hashable) -> None:
    lock, jobs = _registry()
    with lock:
        jobs.pop(key, None)


def forget_about(name: str) -> None:
    """Let go of all results of a model, which may be loaded otherwise next time."""
    lock, jobs = _registry()
    with lock:
        for key in [key for key, job in jobs.items() if isinstance(key, tuple) and name in key and job.done.is_set()]:
            del jobs[key]


def _steer(job: Job, key: Hashable) -> None:
    """How far it is, with Pause and Stop."""
    words, pause, stop = st.columns([4, 1, 1], vertical_alignment="center")
    told = [job.label, job.progress.doing, "paused" if job.progress.paused else ""]
    words.progress(min(1.0, job.progress.fraction), " · ".join(filter(None, told)))
    name = abs(hash(key))
    if job.progress.paused:
        pause.button("Go on", key=f"resume-{name}", on_click=job.progress.resume, width="stretch")
    else:
        pause.button("Pause", key=f"pause-{name}", on_click=job.progress.pause, width="stretch")
    stop.button("Stop", key=f"stop-{name}", on_click=job.progress.cancel, width="stretch")


def _ended_early(error: BaseException, doing: str, key: Hashable) -> None:
    """Why the work ended, and a way to begin it anew."""
    words, again = st.columns([5, 1], vertical_alignment="center")
    if isinstance(error, Cancelled):
        words.info(f"Stopped at {doing or 'the beginning'}; what was found until then is kept.")
    else:
        words.error(in_words(error))
    again.button("Go on", key=f"again-{abs(hash(key))}", on_click=_forget, args=(key,), width="stretch")


def _bar(job: Job, key: Hashable) -> None:
    """A bar that redraws itself, and the whole page once the job is done."""

    @st.fragment(run_every=0.4)
    def bar() -> None:
        if job.done.is_set():
            _come_back()
        seconds = time.monotonic() - job.began
        told = [job.label, f"{seconds:.0f} s", job.progress.doing]
        st.progress(min(1.0, job.progress.fraction), " · ".join(filter(None, told)))
        if st.button("Cancel", key=f"cancel-{abs(hash(key))}"):
            job.progress.cancel()

    bar()


def _come_back() -> None:
    """Run the page anew, unless that would close a dialog in which a person is at work: then when it is closed."""
    if not st.session_state.get(DIALOG):
        st.rerun(scope="app")


def in_words(error: BaseException) -> str:
    """What a person reads when something fails; the rest goes to the log."""
    if isinstance(error, Cancelled):
        return "Cancelled. Change something, or reload the page to try again."
    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        forget_frames(error)
        pool.give_back()
        return memory.told(None)
    log.error("unexpected error in the app", exc_info=error)
    return (
        f"Something unexpected happened ({type(error).__name__}). The server's log has the details; the page goes on."
    )
