"""The training under way: it belongs to the server, and whoever opens the view finds it.

One at a time: two would share the machine's cores, and both would take twice as long.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.lab.training.loop import Point
from vlmlens.lab.training.plan import Plan
from vlmlens.progress import Progress
from vlmlens.ui.jobs import Job

Task = Callable[[Progress], Iterator[Point]]


class Busy(UserError):
    """Another run is being trained."""


@dataclass(eq=False)
class Training:
    """A run that this server trains or has trained; its points grow."""

    name: str
    plan: Plan
    job: Job
    points: list[Point] = field(default_factory=list)
    begun_at: int = 0  # the step from which it was taken up

    @property
    def going(self) -> bool:
        return not self.job.done.is_set()

    def pace(self) -> float | None:
        """Seconds a step since it was begun or taken up, pauses left out; None before it is known."""
        mine = [point for point in list(self.points) if point.step > self.begun_at]
        return (mine[-1].seconds - mine[0].seconds) / (mine[-1].step - mine[0].step) if len(mine) > 1 else None


@st.cache_resource
def _registry() -> tuple[threading.Lock, dict[str, Training]]:
    return threading.Lock(), {}


def find(name: str) -> Training | None:
    """What this server knows of a run."""
    return _registry()[1].get(name)


def under_way() -> Training | None:
    """The training that goes on or pauses, if there is one."""
    return next((training for training in list(_registry()[1].values()) if training.going), None)


def begin(name: str, plan: Plan, points: list[Point], task: Task) -> Training:
    """Train in a thread of its own; `points` are those of earlier steps. Raises Busy."""
    lock, trainings = _registry()
    with lock:
        busy = under_way()
        if busy is not None:
            raise Busy(f"“{busy.name}” is being trained; stop it first, or wait: it can be resumed at any time.")
        training = Training(name, plan, Job(name, ("training", name)), points, points[-1].step if points else 0)
        trainings[name] = training

    def work(progress: Progress) -> Iterator[int]:
        for point in task(progress):
            del training.points[point.step - 1 :]  # made again after the last checkpoint
            training.points.append(point)
            yield point.step

    threading.Thread(target=training.job.work, args=(work,), name=f"train-{name}", daemon=True).start()
    return training


def forget(name: str) -> None:
    """For a run that was deleted."""
    lock, trainings = _registry()
    with lock:
        trainings.pop(name, None)
