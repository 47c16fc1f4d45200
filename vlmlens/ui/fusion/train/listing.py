"""All runs as a table, the choice of those to show, and what can be done with one."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from vlmlens.charts.training import MOST_LINES
from vlmlens.errors import UserError
from vlmlens.lab.runs import Run, delete
from vlmlens.lab.training.watch import Measured
from vlmlens.ui import pool
from vlmlens.ui.fusion.train import begin, kept, state, work
from vlmlens.ui.fusion.train.say import between, percent
from vlmlens.ui.jobs import forget_about

INSPECT = "app_pages/inspect.py"
LOST = "train-lost"  # in the session's state: why something failed that was asked of a run


def choose(names: Sequence[str]) -> list[str]:
    """One to look at, several to compare."""
    return st.multiselect(
        "Runs to show; several are compared",
        names,
        key=state.SHOWN,
        max_selections=MOST_LINES,
        placeholder="None",
    )


def row(run: Run) -> dict[str, object]:
    """A run in the table. Accuracy is that of its card, or else of the last time it was measured."""
    curve, card = kept.curve(run), run.card()
    last = curve.last
    found: dict[str, object] = {
        "run": run.name,
        "wiring": run.plan.wiring,
        "state": told(run),
        "steps": f"{last.step if last else 0} of {run.plan.steps}",
        "accuracy": "n/a, not measured yet",
        "interval": "",
        "questions": "",
        "empty board": "",
        "image share, behavior": "n/a",
        "seed": run.plan.seed,
        "width": run.plan.width,
        "image tokens": run.plan.side**2,
        "prior": run.plan.prior,
        "remedies": ", ".join(f"{name} {strength:g}" for name, strength in run.plan.remedies) or "none",
        "seconds": round(last.seconds) if last else 0,
        "date": when(run),
    }
    if curve.measured:
        found |= _measured(curve.measured[-1][1])
    if card is not None:
        held = card["held_out"]
        found |= {
            "accuracy": percent(held["accuracy"], 1),
            "interval": between(held["accuracy_interval"], 1),
            "questions": f"{held['n']}, test",
            "empty board": percent(held["accuracy_blind"], 1),
        }
    return found


def _measured(last: Measured) -> dict[str, object]:
    return {
        "accuracy": percent(last.accuracy, 1),
        "interval": between(last.interval, 1),
        "questions": f"{last.n}, validation",
        "empty board": percent(last.blind, 1),
        "image share, behavior": "n/a" if last.image_share is None else percent(last.image_share, 1),
    }


def table(runs: Sequence[Run]) -> pd.DataFrame:
    return pd.DataFrame([row(run) for run in runs])


def told(run: Run) -> str:
    """How a run stands, in words."""
    mine = work.find(run.name)
    if mine is not None and mine.going:
        return "paused" if mine.job.progress.paused else "in training"
    return {"new": "not begun", "training": "in training elsewhere", "stopped": "stopped", "finished": "finished"}[
        run.state
    ]


def when(run: Run) -> str:
    return f"{datetime.fromisoformat(run.created).astimezone():%Y-%m-%d %H:%M}"


def actions(run: Run) -> None:
    """What can be done with a run that is not being trained at the moment."""
    problem = st.session_state.pop(LOST, None)
    if problem:
        st.error(problem)
    if run.training:
        return  # by another process, which alone can stop it
    if run.finished:
        if st.button("Open in Inspect", key="train-inspect", type="primary"):
            st.session_state.model = st.session_state["kept-model"] = run.model
            st.switch_page(INSPECT)
    elif work.under_way() is None:
        label = "Resume" if run.state == "stopped" else "Begin"
        st.button(label, key="train-resume", type="primary", on_click=_resume, args=(run.name,))
    with st.popover("Delete"):
        st.markdown(f"Weights and curves of **{run.name}** go for good.")
        st.button(f"Delete {run.name}", key="train-delete", on_click=_delete, args=(run.name,))


def _resume(name: str) -> None:
    try:
        begin.take_up(name)
    except UserError as error:
        st.session_state[LOST] = str(error)


def _delete(name: str) -> None:
    try:
        delete(name)
    except UserError as error:
        st.session_state[LOST] = str(error)
        return
    work.forget(name)
    forget_about(f"run:{name}")
    pool.drop(f"run:{name}")
    if st.session_state.get("model") == f"run:{name}":
        st.session_state.model = st.session_state["kept-model"] = pool.DEFAULT


def damaged(name: str, told: str) -> None:
    """A run that cannot be read, and the way to be rid of it."""
    words, button = st.columns([4, 1], vertical_alignment="center")
    words.warning(told)
    button.button(f"Delete {name}", key=f"train-delete-{name}", on_click=_delete, args=(name,))
