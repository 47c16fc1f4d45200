"""Which map is on the picture: a method, perhaps a second answer, and the slice that is shown first and judged."""

from dataclasses import dataclass

import streamlit as st

from vlmlens.attention import Sweep, masking_sweep
from vlmlens.attribution import METHODS, PASSES, Case, Map, explain
from vlmlens.lab.sample import take
from vlmlens.models import Picture
from vlmlens.trace import Answer, Trace
from vlmlens.ui import results
from vlmlens.ui.jobs import result
from vlmlens.ui.request import Request

PROBES = 64  # held-out questions that tell a lab model's fusion layers
BUDGETS = (50, 100, 200, PASSES, 800, 1600)
NOBODY = "—"
WANTED = "wanted-layer"  # set where a layer is clicked on another chart


@dataclass(frozen=True)
class Choice:
    """What was picked; `against` is the text of the second answer, empty for none."""

    method: str
    against: str = ""
    passes: int = PASSES  # forward passes, for methods that spend them

    def answer(self, trace: Trace) -> Answer | None:
        return next((answer for answer in trace.answers[1:] if answer.text == self.against), None)


def pick(trace: Trace) -> Choice:
    """The map, why not another answer, and what it may cost."""
    if st.session_state.get(WANTED) not in (None, *st.session_state.get("map-labels", ())):
        st.session_state.map, st.session_state.against = "raw", NOBODY  # the only map that every layer has
    method, other = st.columns([1.2, 1])
    against = other.selectbox(
        f"Why “{trace.answers[0].text}” and not",
        [NOBODY, *dict.fromkeys(answer.text for answer in trace.answers[1:])],
        key="against",
        bind="query-params",
        help="Maps of the lead of the one answer over the other: the difference of their log-probabilities. Attention "
        "does not know the answer, so only maps that do remain.",
    )
    against = "" if against == NOBODY else str(against)
    names = [name for name, row in METHODS.items() if row.contrasts or not against]
    if st.session_state.get("map", names[0]) not in names:
        st.session_state.map = names[0]
    chosen = method.selectbox("Map", names, key="map", bind="query-params", help=_told(names))
    if not METHODS[str(chosen)].spends:
        return Choice(str(chosen), against)
    passes = st.select_slider("Forward passes, at most", BUDGETS, PASSES, key="map-passes", bind="query-params")
    return Choice(str(chosen), against, int(passes))


def pick_slice(found: Map, trace: Trace) -> int:
    """Which slice is shown first and judged."""
    wanted, key = st.session_state.pop(WANTED, None), f"slice-{found.method}-{trace.model}"
    st.session_state["map-labels"] = found.labels
    if wanted in found.labels:
        st.session_state[key] = wanted
    if len(found.labels) == 1:
        return 0
    if st.session_state.get(key) not in found.labels:
        st.session_state[key] = found.labels[found.first]
    chosen = st.selectbox(
        "Layer that is shown first and judged",
        found.labels,
        key=key,
        help="Scrub freely on the picture; the verdict is about this layer's map, or the region that you draw.",
    )
    return found.labels.index(str(chosen))


def map_of(request: Request, case: Case, choice: Choice) -> Map:
    """The map, computed once; NotApplicable where the method has none for this model."""
    key = ("map", case.trace.model, request.source, request.question, choice)
    return result(key, f"Map: {choice.method}", lambda progress: explain(choice.method, case, progress))


def case_of(request: Request, trace: Trace, choice: Choice) -> Case:
    """What the methods get; contrast needs a sweep first."""
    found = swept(request, trace) if choice.method == "contrastive" else None
    return Case(
        results.model(trace.model),
        request.source.load(),
        request.question,
        trace,
        choice.answer(trace),
        fusion=() if found is None else found.fusion_layers,
        review=None if found is None else found.review_layer,
        passes=choice.passes,
    )


def swept(request: Request, trace: Trace) -> Sweep:
    """The zeroing sweep that names the layers to contrast: a lab model's over a probe set, another's over the question.

    As in benchmarks/maps.py.
    """
    vlm = results.model(trace.model)
    pictures, questions = probes(request, "validation", 0, PROBES if vlm.info.lab else 0)
    key = ("fusion layers", vlm.name, None if vlm.info.lab else (request.source, request.question))
    return result(
        key, "Fusion layers", lambda progress: masking_sweep(vlm, pictures, questions, "zero", progress=progress)
    )


def probes(request: Request, split: str, seed: int, count: int) -> tuple[list[Picture], list[str]]:
    """Pictures and questions of so many lab items; the request's own for none."""
    if not count:
        return [request.source.load()], [request.question]
    items = take(split, seed, count)
    return [item.scene for item in items], [item.question.text for item in items]


def _told(names: list[str]) -> str:
    return "\n".join(f"- **{name}**: {METHODS[name].sentence}" for name in names)
