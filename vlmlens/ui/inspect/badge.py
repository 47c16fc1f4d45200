"""The one verdict of the page: does this map mark what the answer hangs on? And, of a drawn region: did it matter?"""

import time
from typing import TYPE_CHECKING

import streamlit as st

from vlmlens import charts
from vlmlens.attention import CausalCheck
from vlmlens.attribution import Case, Map
from vlmlens.attribution.faithfulness import Trust, knock_out, marked, passes, trust
from vlmlens.progress import Cancelled, Progress
from vlmlens.ui import words
from vlmlens.ui.inspect.choice import Choice
from vlmlens.ui.jobs import offer, result, wanted
from vlmlens.ui.look import chart, verdict
from vlmlens.ui.request import Request

if TYPE_CHECKING:
    from vlmlens.ui.inspect import Shown

HURRY = 0.05  # seconds: random maps take longer than the page may
LULL = 0.4  # seconds in which the page is drawn before they take a core
BADGES = {  # a word, a shape and a colour: never colour alone
    "better than random": ("✓", "Better than random", "green"),
    "no better than random": ("✕", "No better than random", "red"),
    "inconclusive": ("~", "Inconclusive", "gray"),
}


def badge(request: Request, choice: Choice, case: Case, found: Map, place: int) -> tuple[CausalCheck, Trust | None]:
    """The verdict on one slice of a map. What the model's size allows is done unasked, the rest at a button."""
    title, key = st.empty(), (case.trace.model, request.source, request.question, choice, place)
    _title(title, "checking …", "gray")
    cells = found.cells(place)
    check = result(("knock-out", *key), "Hiding what the map marks", lambda _progress: knock_out(case, cells))
    st.markdown(_removed(check))
    chart(charts.causal(check))
    if not (case.vlm.info.lab or wanted(("trust", *key))):
        _title(title, "not checked yet", "gray")
        offer(("trust", *key), f"Compare with random maps (up to {passes(case)} forward passes)")
        return check, None

    def work(progress: Progress) -> Trust:
        time.sleep(LULL)
        return trust(case, cells, progress, check)

    try:
        judged = result(("trust", *key), "Random maps", work, group="trust", patience=HURRY)
    except Cancelled:
        _title(title, "not checked", "gray")
        st.button("Compare with random maps")  # whatever is pressed runs the page anew
        return check, None
    shape, word, color = BADGES[judged.verdict]
    _title(title, f"{shape} {word}", color)
    st.markdown(judged.sentence())
    return check, judged


def _title(spot: "st.delta_generator.DeltaGenerator", word: str, color: str) -> None:
    with spot.container():
        verdict("Can this map be trusted?", word, color, words.TRUST)


def _removed(check: CausalCheck) -> str:
    return (
        f"Removing what this map marks takes “{check.answer}” from {check.before:.2f} to **{check.after:.2f}**; "
        f"what random maps mark, to {check.elsewhere_mean:.2f} ({len(check.elsewhere)} draws)."
    )


def curves(_shown: "Shown", judged: Trust | None) -> None:
    """The fold behind the badge."""
    if judged is None:
        st.info("There is nothing to show before the map is compared with random maps.")
        return
    chart(charts.curves(judged))
    st.caption(
        "Lines: mean over four ways to remove a patch (mean colour, blur, another picture, knock-out). Grey: 95 of 100 "
        "random maps as smooth as this one. A map that marks what the answer hangs on falls faster and rises sooner."
    )


def region(found: Map, place: int) -> tuple[int, ...]:
    """What the check hides, to be outlined."""
    return tuple(sorted(marked(found.cells(place)).tolist()))
