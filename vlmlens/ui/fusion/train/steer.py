"""The bar of the training under way, with Pause and Stop."""

import streamlit as st

from vlmlens.progress import Cancelled
from vlmlens.ui.fusion.train.say import duration
from vlmlens.ui.fusion.train.work import Training
from vlmlens.ui.jobs import in_words

SOON = 0.8  # seconds


def draw(training: Training) -> None:
    progress = training.job.progress
    words, pause, stop = st.columns([4, 1, 1], vertical_alignment="center")
    done = training.points[-1].step if training.points else 0
    told = [training.name, progress.doing or "making the model", _left(training, done)]
    words.progress(min(1.0, done / training.plan.steps), " · ".join(filter(None, told)))
    if progress.paused:
        pause.button("Go on", key="train-go-on", on_click=progress.resume, width="stretch")
    else:
        pause.button("Pause", key="train-pause", on_click=progress.pause, width="stretch")
    stop.button("Stop", key="train-stop", on_click=_stop, args=(training,), width="stretch")


def _stop(training: Training) -> None:
    """It stops after the step that it is making; mostly that is soon enough to show at once."""
    training.job.progress.cancel()
    training.job.done.wait(SOON)


def _left(training: Training, done: int) -> str:
    if training.job.progress.paused:
        return "paused"
    each = training.pace()
    left = training.plan.steps - done
    return f"{duration(left * each)} left" if each is not None and left else ""


def ended(training: Training) -> None:
    """Why it ended early, if it did."""
    error = training.job.error
    if isinstance(error, Cancelled):
        done = training.points[-1].step if training.points else 0
        st.info(
            f"Stopped after step {done} of {training.plan.steps}. What was reached is kept; Resume goes on from it."
        )
    elif error is not None:
        st.error(in_words(error))
