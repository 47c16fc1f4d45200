"""Inspect's arrangement: one model large, others beside it, or a trace that was saved before."""

from typing import Any

import streamlit as st

from vlmlens.attention import CausalCheck, default_place, image_maps
from vlmlens.trace import Trace
from vlmlens.ui import results
from vlmlens.ui.look import guard
from vlmlens.ui.request import Request
from vlmlens.ui.save import save


def show(request: Request, seen: Any, found: Any) -> None:
    """The picture in the middle; answer, causal check and budget on the right."""
    check: CausalCheck | None = None
    with seen, guard():
        vlm = results.model(request.model)
        trace = results.inspect(request)
        above = st.container()
        place = _place(trace, "check-layer")
        hottest = results.region_of(trace, place) if image_maps(trace)[0] else ()
        region = results.picture_with_maps(request, trace, "picture", hottest, place).region
        with found, guard():
            results.notices(request, vlm)
            results.answer(trace, request.source.scene)
            with above:
                _pick_place(trace, "check-layer")
            if region or hottest:
                with guard():
                    what = "your region" if region else f"the hottest region of {_label(trace, place)}"
                    check = results.check(request, trace, region or hottest, what)
            results.budgets(trace, "main")
            save(trace, place, check)


def show_beside(request: Request) -> None:
    """The same picture and question, asked of the other models, a column each."""
    for start in range(0, len(request.beside), 3):
        names = request.beside[start : start + 3]
        for name, column in zip(names, st.columns(3, gap="medium"), strict=False):
            with column.container(border=True), guard():
                st.subheader(name, anchor=False)
                trace = results.inspect(request, name)
                results.answer(trace, request.source.scene)
                place = default_place(trace)
                hottest = results.region_of(trace, place) if image_maps(trace)[0] else ()
                results.picture_with_maps(request, trace, f"picture-{name}", hottest, place)
                if hottest:
                    results.check(request, trace, hottest, f"the hottest region of {_label(trace, place)}")
                results.budgets(trace, name)


def show_saved(trace: Trace, seen: Any, found: Any) -> None:
    """A trace from a file: everything but what needs the model."""
    with seen:
        _pick_place(trace, "saved-layer")
        place = _place(trace, "saved-layer")
        results.picture_with_maps(None, trace, "picture-saved", (), place)
    with found:
        st.info(
            f"A saved trace of {trace.model}: “{trace.question}”. The causal check needs the model and is not shown; "
            "remove the file to go on asking."
        )
        results.answer(trace, None)
        results.budgets(trace, "saved")
        save(trace, place, None)


def opened_trace() -> Trace | None:
    """The trace in the file that was dropped on the page, if any."""
    trace: Trace | None = st.session_state.get("trace")
    return trace


def _place(trace: Trace, key: str) -> int:
    """The layer whose map is checked, saved, and shown first: as `_pick_place` says, wherever it is drawn."""
    labels = [place.label for place in image_maps(trace)[0]]
    chosen = st.session_state.get(f"{key}-{trace.model}")
    return labels.index(chosen) if chosen in labels else default_place(trace) if labels else 0


def _pick_place(trace: Trace, key: str) -> None:
    places, _ = image_maps(trace)
    if not places:
        st.info("No row of this model looks at the picture where the answer is read; there is no map to draw.")
        return
    st.selectbox(
        "Layer that is shown first and checked",
        [place.label for place in places],
        index=default_place(trace),
        key=f"{key}-{trace.model}",
        help="Scrub freely on the picture; the causal check hides the hottest region of this layer's map, or the "
        "region that you brush or box.",
    )


def _label(trace: Trace, place: int) -> str:
    return image_maps(trace)[0][place].label.split(":")[0]
