"""At which layer does it read the picture? One layer masked after the other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from vlmlens import charts
from vlmlens.attention import MODES, Mode, Sweep, routes, sweeping
from vlmlens.attribution.faithfulness import Trust
from vlmlens.models import VLM, Picture
from vlmlens.progress import Progress
from vlmlens.trace import Trace
from vlmlens.ui import results, words
from vlmlens.ui.inspect.choice import WANTED, probes
from vlmlens.ui.jobs import live
from vlmlens.ui.look import chart, titled
from vlmlens.ui.save import save_all

if TYPE_CHECKING:
    from vlmlens.ui.inspect import Shown

THIS = "this question"
SIZES = {THIS: 0, "32 held-out lab questions": 32, "128 held-out lab questions": 128}
WINDOWS = (1, 3, 5)


@dataclass(frozen=True)
class Asked:
    """One sweep."""

    mode: Mode
    route: str
    window: int
    items: int  # held-out lab questions; 0 for the question of the page


def draw(shown: "Shown", _trust: Trust | None) -> None:
    request, trace = shown.request, shown.trace
    vlm = results.model(trace.model)
    asked = _pick(vlm, request.source.load(), request.question)

    def task(progress: Progress) -> Iterator[Sweep]:
        pictures, questions = probes(request, "test", 11, asked.items)
        return sweeping(vlm, pictures, questions, asked.mode, asked.route, asked.window, progress)

    where = (request.source, request.question) if not asked.items else ()

    def show(found: Sweep, ended: bool) -> None:
        _show(found, ended, trace)

    live(("sweep", vlm.name, asked, where), "Masking layer after layer", task, show)


def _pick(vlm: VLM, content: Picture, question: str) -> Asked:
    kinds, way, width, probes = st.columns([1, 1, 1, 1.3])
    mode = kinds.selectbox(
        "Mask by",
        MODES,
        format_func=lambda mode: words.MODES[mode],
        key="sweep-mode",
        bind="query-params",
        help=words.MODES_TOLD,
    )
    found = routes(vlm, vlm.prepare(vlm.image(content), question))
    route = way.selectbox(
        "Route", found, key=f"sweep-route-{'-'.join(found)}", disabled=mode == "zero", help="Who reads whom."
    )
    window = width.selectbox(
        "Layers at once", WINDOWS, key="sweep-window", bind="query-params", disabled=mode == "zero"
    )
    sizes = [name for name, count in SIZES.items() if vlm.info.lab or not count]
    items = probes.selectbox("Over", sizes, key="sweep-items", bind="query-params", help=words.SWEEP_ITEMS)
    if mode == "zero":
        return Asked("zero", "image to last", 1, SIZES[str(items)])
    return Asked("knockout", str(route), int(window), SIZES[str(items)])


def _show(found: Sweep, ended: bool, trace: Trace) -> None:
    titled(found.sentence(), words.SWEEP)
    if not ended:
        chart(charts.sweep(found))
        return
    picked = chart(charts.sweep(found), key="sweep-picked")
    st.caption("Click a layer to see its map on the picture.")
    save_all("sweep", {"sweep": charts.sweep(found)}, found.to_dict(), found.to_frame(), charts.caption(trace))
    number = picked[0].get("number") if picked else None
    if number is not None and st.session_state.get("sweep-taken") != (trace.model, number):
        st.session_state["sweep-taken"] = (trace.model, number)
        st.session_state[WANTED] = next((place.label for place in trace.places if place.layer == number), None)
        st.rerun(scope="app")
