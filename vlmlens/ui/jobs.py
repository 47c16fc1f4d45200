"""Work that may take long: in a thread of its own, with progress and Cancel, shared by whoever asks for the same thing.

    trace = result(("inspect", model, picture, question), "Asking the model", lambda progress: ...)

Returns at once where the work is done or short; otherwise draws a bar with Cancel, raises Pending, and the page comes
back when there is something to show. The worker makes no Streamlit call.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.progress import Cancelled, Progress

PATIENCE = 0.7  # seconds before a bar appears
MOST_JOBS = 32  # kept results; a large model's trace takes tens of megabytes

T = TypeVar("T")
log = logging.getLogger(__name__)


class Pending(Exception):
    """The work is under way and its bar is drawn; `ui.guard` leaves out what would stand below."""


@dataclass(eq=False)
class Job:
    """One piece of work and what came of it."""

    label: str
    progress: Progress = field(default_factory=Progress)
    began: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    value: Any = None
    error: BaseException | None = None

    def work(self, task: Callable[[Progress], Any]) -> None:
        try:
            self.value = task(self.progress)
        except BaseException as error:  # handed to the page, which says it in words
            self.error = error
        finally:
            self.done.set()


@st.cache_resource
def _registry() -> "tuple[threading.Lock, OrderedDict[Hashable, Job]]":
    return threading.Lock(), OrderedDict()


def result(key: Hashable, label: str, task: Callable[[Progress], T], *, keep: bool = True) -> T:
    """What `task` returns. `key` names the work by content: the same key is the same result, for every session.

    With `keep=False` the result is handed out once and forgotten, for what is kept elsewhere.

    Raises Pending, or whatever the task raised; a cancelled or failed job is forgotten: asking again tries again.
    """
    lock, jobs = _registry()
    with lock:
        job = jobs.get(key)
        if job is None:
            job = jobs[key] = Job(label)
            threading.Thread(target=job.work, args=(task,), name=label, daemon=True).start()
        jobs.move_to_end(key)
        while len(jobs) > MOST_JOBS:
            jobs.popitem(last=False)
    if not job.done.wait(PATIENCE):
        _bar(job, key)
        raise Pending(label)
    if job.error is not None or not keep:
        with lock:
            jobs.pop(key, None)
    if job.error is not None:
        raise job.error
    value: T = job.value
    return value


def _bar(job: Job, key: Hashable) -> None:
    """A bar that redraws itself, and the whole page once the job is done."""

    @st.fragment(run_every=0.4)
    def bar() -> None:
        if job.done.is_set():
            st.rerun(scope="app")
        seconds = time.monotonic() - job.began
        told = [job.label, f"{seconds:.0f} s", job.progress.doing]
        st.progress(min(1.0, job.progress.fraction), " · ".join(filter(None, told)))
        if st.button("Cancel", key=f"cancel-{abs(hash(key))}"):
            job.progress.cancel()

    bar()


def in_words(error: BaseException) -> str:
    """What a person reads when something fails; the rest goes to the log."""
    if isinstance(error, Cancelled):
        return "Cancelled. Change something, or reload the page to try again."
    if isinstance(error, UserError):
        return str(error)
    if "out of memory" in str(error).lower():
        return "The machine ran out of memory for this model. Take a smaller model or picture, or a smaller dtype."
    log.error("unexpected error in the app", exc_info=error)
    return (
        f"Something unexpected happened ({type(error).__name__}). The server's log has the details; the page goes on."
    )
