"""The Counterfactual page: what is changed, the picture after it, what became of the answer; the rest folded."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st
from PIL import Image

from vlmlens.ui import results
from vlmlens.ui.ask import pick_input
from vlmlens.ui.counterfactual import (
    asking,
    dose,
    editor,
    effects,
    found,
    looks,
    patching,
    smallest,
    stage,
    state,
    tray,
)
from vlmlens.ui.counterfactual.asking import Runs
from vlmlens.ui.counterfactual.save import save
from vlmlens.ui.jobs import Pending
from vlmlens.ui.look import guard
from vlmlens.ui.request import Request, asked, remember

WHOLE = "counterfactual-whole"  # set while the whole page runs, so that the live part knows
SHOWN = "counterfactual-shown"  # the runs that stand on the page
FOLDED = "counterfactual-folded"  # the runs that the folds speak of


@dataclass(frozen=True)
class Fold:
    """One question below the first screen, answered when it is opened."""

    name: str
    question: str
    draw: Callable[[Any], None]
    without: bool = False  # whether it has something to show where there is no answer


FOLDS = (
    Fold("dose", "How strong must the change be?", dose.draw),
    Fold("smallest", "What is the smallest change that flips the answer?", smallest.draw),
    Fold("patching", "Where inside does the change arrive?", patching.draw),
    Fold("effects", "Which words and patches carry the answer?", effects.draw),
    Fold("looks", "Where does it look before and after?", looks.draw_fold),
    Fold("tray", "Kept runs", tray.draw, without=True),
)


def show() -> None:
    """The page. Its live part is a fragment: a slider does not draw the folds anew unless one is open."""
    st.session_state[WHOLE] = True
    _live()
    runs: Runs | None = st.session_state.get(SHOWN)
    st.session_state[FOLDED] = runs and runs.key
    for fold in FOLDS:
        opened = st.expander(fold.question, key=f"fold-{fold.name}", on_change="rerun", bind="query-params")
        if opened.open and (runs is not None or fold.without):
            with opened, guard():
                fold.draw(runs)
    tray.remember()


@st.fragment
def _live() -> None:
    """What follows a slider at once."""
    whole = st.session_state.pop(WHOLE, False)
    left, middle, right = st.columns([1.25, 1.75, 1.75], gap="medium")
    request = asked()
    state.history()
    editor.take()
    state.follow(request)
    runs: Runs | None = None
    with middle, guard():
        image, problem = asking.changed_picture_or_why(request, state.history().now)
        stage.show(request, image)
        maps = st.container()
        with right, guard():
            if problem:
                st.session_state.pop(SHOWN, None)
                st.error(f"{problem} The picture is shown without the changes.")
                raise Pending("an answer")
            runs = _ask(request, image)
            results.notices(request, runs.vlm)
            found.show(runs)
            save(runs)
        if runs is not None:
            with maps, guard():
                looks.strip(runs)
    with left, guard():
        pick_input(request, folded=True)
        editor.show(request)
    remember(request)
    state.remember()
    shown: Runs | None = st.session_state.get(SHOWN)
    follow = not whole and not state.history().dragging and any(map(_open, FOLDS))
    if follow and st.session_state.get(FOLDED) != (shown and shown.key):
        st.rerun()


def _ask(request: Request, image: Image.Image) -> Runs:
    """Both runs; while a model takes its time, those before, dimmed below its bar."""
    before: Runs | None = st.session_state.pop(SHOWN, None)
    try:
        runs = asking.ask(request, state.history().now, image)
    except Pending:
        if before is not None and before.request == request:
            st.session_state[SHOWN] = before
            with st.container(key="runs-before"):
                st.caption("Still of the changes before:")
                found.show(before)
        raise
    st.session_state[SHOWN] = runs
    return runs


def _open(fold: Fold) -> bool:
    return bool(st.session_state.get(f"fold-{fold.name}"))
