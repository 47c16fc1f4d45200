"""Kept runs: named, compared two by two, taken away and brought back.

They outlive a reload, on the server, under a number in the link.
"""

import secrets
import threading
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.counterfactual.runs import Run
from vlmlens.counterfactual.tray import Tray, compare_runs
from vlmlens.errors import UserError
from vlmlens.trace import Segment
from vlmlens.ui import words
from vlmlens.ui.counterfactual import bars, state
from vlmlens.ui.counterfactual.asking import Runs
from vlmlens.ui.counterfactual.words import TRAY
from vlmlens.ui.look import titled
from vlmlens.ui.save import download, save_all

LINK = "tray"
MOST_TRAYS = 200
FILE, NAME, PROBLEM = "tray-file", "tray-name", "tray-problem"


@st.cache_resource
def _shelf() -> "tuple[threading.Lock, OrderedDict[str, Tray]]":
    """Trays by their number, which nobody guesses; the least recently used goes when there are too many."""
    return threading.Lock(), OrderedDict()


def _number() -> str:
    """The number in the link; "" while there is none."""
    return str(st.query_params.get(LINK) or st.session_state.get(LINK) or "")


def tray() -> Tray:
    """The session's."""
    number = _number()
    lock, shelf = _shelf()
    with lock:
        if number not in shelf:
            return Tray()
        shelf.move_to_end(number)
        return shelf[number]


def keep(new: Tray) -> None:
    """Put a tray on the shelf, and its number into the link."""
    number = _number() or secrets.token_urlsafe(12)
    lock, shelf = _shelf()
    with lock:
        shelf[number] = new
        shelf.move_to_end(number)
        while len(shelf) > MOST_TRAYS:
            shelf.popitem(last=False)
    st.session_state[LINK] = number
    st.session_state[PROBLEM] = None


def remember() -> None:
    """The number into the address; another page and back does not lose it."""
    if number := _number():
        st.session_state[LINK] = number
        if st.query_params.get(LINK) != number:
            st.query_params[LINK] = number


def draw(runs: Runs | None) -> None:
    """`runs`: what is asked at present; None where it has no answer. The tray is there all the same."""
    kept = tray()
    titled(
        f"**{len(kept.runs)}** kept."
        if kept.runs
        else "Nothing is kept yet: keep a run, change something, keep another.",
        TRAY,
    )
    if runs is not None:
        _keep_one(runs, kept)
    if message := st.session_state.get(PROBLEM):
        st.error(message)
    if kept.runs:
        _table(kept)
        if len(kept.runs) > 1:
            _compare(kept)
    _in_and_out(kept)


def _keep_one(runs: Runs, kept: Tray) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Name", key=NAME, max_chars=80, placeholder=_suggested(runs, kept), width=240)
        st.button("Keep this run", key="tray-keep", on_click=_kept, args=(runs,))


def _kept(runs: Runs) -> None:
    scene = state.scene_after(runs.request) if not runs.changes.steps else None
    name = (st.session_state.get(NAME) or "").strip() or _suggested(runs, tray())
    try:
        keep(tray().add(Run.of(name, runs.after, f"[{runs.changes.to_json()}]", scene)))
        st.session_state[NAME] = ""
    except UserError as error:
        st.session_state[PROBLEM] = str(error)


def _suggested(runs: Runs, kept: Tray) -> str:
    """The answer, with a number that is free."""
    answer, number = runs.after.answers[0].text.strip()[:60], len(kept.runs) + 1
    while f"{answer} {number}" in kept.names:
        number += 1
    return f"{answer} {number}"


def _table(kept: Tray) -> None:
    rows = [
        {
            "name": run.name,
            "answer": run.answer,
            "probability": run.answers[0].probability,
            "model": run.model,
            "question": run.question,
            "picture's share": _mean(run),
        }
        for run in kept.runs
    ]
    st.dataframe(
        pd.DataFrame(rows).round(3), hide_index=True, width="stretch", height=min(35 * (len(rows) + 1) + 3, 260)
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox("Take out", kept.names, index=None, key="tray-gone", placeholder="a run …", width=240)
        st.button("Remove", key="tray-remove", on_click=_remove, disabled=not st.session_state.get("tray-gone"))


def _mean(run: Run) -> float:
    image = run.shares.column(Segment.IMAGE)
    split = image[image == image]
    return float(split.mean()) if len(split) else float("nan")


def _remove() -> None:
    name = st.session_state.pop("tray-gone", None)
    try:
        keep(tray().remove(str(name)))
    except UserError as error:
        st.session_state[PROBLEM] = str(error)


def _compare(kept: Tray) -> None:
    left, right = st.columns(2)
    names = kept.names
    for key, spot, label, default in (
        ("tray-one", left, "Compare", names[-2]),
        ("tray-two", right, "with", names[-1]),
    ):
        if st.session_state.get(key) not in names:
            st.session_state[key] = default
        spot.selectbox(label, names, key=key)
    one, two = (kept.find(str(st.session_state[key])) for key in ("tray-one", "tray-two"))
    found = compare_runs(one, two)
    st.markdown(words.markdown(found.sentence()))
    left, right = st.columns(2)
    with left:
        st.html(bars.answers(found.answers, found.names))
    with right:
        if found.shares is None:
            st.info(f"n/a: {found.no_shares}")
        else:
            st.html(bars.budget(found.shares, found.names))
    figures: dict[str, Any] = {"answers": charts.paired_answers(found.answers)}
    if found.shares is not None:
        figures["budget"] = charts.budget_difference(found.shares)
    about = f"{one.name} ({one.model}) and {two.name} ({two.model})"
    save_all("tray-two-runs", figures, found.answers.to_dict(), found.answers.to_frame(), about)


def _in_and_out(kept: Tray) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if kept.runs:
            download("All, JSON", lambda: kept.to_json().encode(), "tray.json")
            download("All, CSV", lambda: kept.to_csv().encode(), "tray.csv")
    number = st.session_state.setdefault("tray-files", 0)
    st.file_uploader(
        "Bring back a tray (JSON)", type=["json"], key=f"{FILE}-{number}", on_change=_bring, args=(number,)
    )


def _bring(number: int) -> None:
    """Add the runs of a file; what is there stays, whatever the file holds."""
    file = st.session_state.get(f"{FILE}-{number}")
    if file is None:
        return
    st.session_state["tray-files"] = number + 1
    try:
        found = tray()
        for run in Tray.from_json(file.getvalue()).runs:
            found = found.add(_renamed(run, found))
        keep(found)
    except UserError as error:
        st.session_state[PROBLEM] = f"{error} The tray is as it was."


def _renamed(run: Run, kept: Tray) -> Run:
    """A run whose name is free."""
    name, number = run.name, 2
    while name in kept.names:
        name, number = f"{run.name[:70]} ({number})", number + 1
    return replace(run, name=name)
