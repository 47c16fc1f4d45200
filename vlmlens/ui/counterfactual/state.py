"""What this page keeps of a session: the changes with their undo, what is marked, and the link that restores them."""

from dataclasses import replace

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.lab.scenes import Scene
from vlmlens.ui.counterfactual.changes import ASK, Changes
from vlmlens.ui.counterfactual.history import History
from vlmlens.ui.request import Request

HISTORY = "counterfactual"
LINK = "changes"
TOLD = "counterfactual-told"  # what went wrong with the last thing asked for, in words


def history() -> History:
    """The session's; at first, what the link says."""
    if HISTORY not in st.session_state:
        found = Changes()
        if text := st.query_params.get(LINK):
            try:
                found = Changes.from_json(text)
            except UserError as error:
                st.session_state[TOLD] = f"The changes of this link were left out. {error}"
        st.session_state[HISTORY] = History.of(found)
    kept: History = st.session_state[HISTORY]
    return kept


def keep(new: History) -> None:
    st.session_state[HISTORY] = new
    st.session_state[TOLD] = None


def make(new: Changes) -> None:
    """The page's own change: an undo more, and the list shows it."""
    keep(history().made(new))


def say(problem: str) -> None:
    """What cannot be done, in a sentence that stands until something is."""
    st.session_state[TOLD] = problem


def problem() -> str | None:
    told: str | None = st.session_state.get(TOLD)
    return told


def follow(request: Request) -> None:
    """Let go of what belongs to another scene or another question than is asked now."""
    asked = request.source, request.question
    before = st.session_state.get("counterfactual-asked", asked)
    st.session_state["counterfactual-asked"] = asked
    now = history().now
    if before[0] != request.source and now.scene is not None:
        make(replace(now, scene=None))
    if before[1] != request.question and any(word.name == ASK for word in now.words):
        now = history().now
        make(replace(now, words=tuple(word for word in now.words if word.name != ASK)))


def remember() -> None:
    """The changes into the address."""
    now = history().now
    text = "" if now.none else now.to_json()
    if text and st.query_params.get(LINK) != text:
        st.query_params[LINK] = text
    elif not text and LINK in st.query_params:
        del st.query_params[LINK]


def scene_after(request: Request) -> Scene | None:
    """The lab scene that is asked about after the changes; what its picture is put through is not in it."""
    now = history().now
    return now.scene if now.scene is not None else request.source.scene
