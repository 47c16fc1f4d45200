"""Probe set: the atoms fill in while items stream through the model, at every reading point."""

import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.information import Estimate, InformationError
from vlmlens.information.representational import Running
from vlmlens.lab.sample import PRIOR, Item, items
from vlmlens.models import VLM, Readings
from vlmlens.progress import Progress
from vlmlens.ui import results
from vlmlens.ui.information import quick, words
from vlmlens.ui.information.common import pick_kind
from vlmlens.ui.jobs import live
from vlmlens.ui.look import chart, titled
from vlmlens.ui.models import pick_model
from vlmlens.ui.pool import get
from vlmlens.ui.save import save_all

MOST_READ = 6  # probe sets whose readings are kept, so that another k costs no pass
SIZES = (500, 1000, 2000, 4000, 8000, 16000)


@dataclass(frozen=True)
class Asked:
    """One probe set through one model."""

    model: str
    kinds: tuple[str, ...]
    items: int
    prior: float


@dataclass(frozen=True, eq=False)
class Live:
    """What the items so far say."""

    n: int
    points: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    problem: str  # why there are none
    accuracy: float


class Reading:
    """Items of one probe set with their readings, drawn and read when they are first asked for, and kept."""

    def __init__(self, asked: Asked) -> None:
        self._model = asked.model  # by name: what is kept here must not keep a model
        self._items = islice(items("test", 0, asked.prior, asked.kinds), asked.items)
        self._parts: list[tuple[list[Item], Readings]] = []
        self._lock = threading.Lock()

    def part(self, index: int) -> tuple[list[Item], Readings] | None:
        with self._lock:
            while len(self._parts) <= index:
                vlm = get(self._model)
                new = list(islice(self._items, vlm.items_at_once))
                if not new:
                    return None
                (readings,) = vlm.read([item.scene for item in new], [item.question.text for item in new])
                self._parts.append((new, readings))
            return self._parts[index]


@st.cache_resource(show_spinner=False)
def _kept() -> "tuple[threading.Lock, OrderedDict[Asked, Reading]]":
    return threading.Lock(), OrderedDict()


def _reading(asked: Asked) -> Reading:
    lock, kept = _kept()
    with lock:
        found = kept.get(asked) or Reading(asked)
        kept[asked] = found
        kept.move_to_end(asked)
        while len(kept) > MOST_READ:
            kept.popitem(last=False)
        return found


def stream(vlm: VLM, asked: Asked, k: int, progress: Progress) -> Iterator[Live]:
    """What is known after every batch."""
    progress.step(0.0, f"item 0 of {asked.items}")
    reading, running, right = _reading(asked), Running(k), 0
    while (found := reading.part(len(running.parts))) is not None:
        drawn, part = found
        running.add(part)
        said = (vlm.answer_text(int(answer)) for answer in part.answers)
        right += sum(answer == item.answer for answer, item in zip(said, drawn, strict=True))
        progress.step(running.n / asked.items, f"item {running.n} of {asked.items}")
        estimates: tuple[Estimate, ...] = ()
        problem = ""
        try:
            estimates = running.estimates(final=running.n >= asked.items)
        except InformationError as error:
            problem = str(error)
        yield Live(running.n, running.points, estimates, problem, right / running.n)


def draw() -> None:
    left, rest = st.columns([1, 3], gap="large")
    with left:
        model = pick_model()
        kinds = pick_kind("probe-kind")
        count = st.select_slider(
            "Items", SIZES, 4000, key="probe-items", bind="query-params", help="Half form clusters, half are counted."
        )
        k = st.slider(
            "Clusters k",
            2,
            16,
            8,
            key="probe-k",
            bind="query-params",
            help="Of picture states, and of question states.",
        )
        prior = st.slider(
            "Language prior of the questions",
            0.0,
            0.9,
            PRIOR,
            0.1,
            key="probe-prior",
            bind="query-params",
            help="How often a scene is built to have the answer that its question prefers.",
        )
        st.caption("Held-out lab scenes; a model from elsewhere is shown the same scenes, drawn larger.")
    asked = Asked(model, kinds, int(count), float(prior))
    with rest:
        vlm = results.model(model)

        def show(found: Live, ended: bool) -> None:
            _show(found, asked, k, ended)

        live(("probe", vlm.name, asked, k), "Reading", lambda progress: stream(vlm, asked, k, progress), show)


def _show(found: Live, asked: Asked, k: int, ended: bool) -> None:
    if not found.estimates:
        st.info(found.problem)
        return
    point = st.session_state.get("probe-point")
    index = found.points.index(point) if point in found.points else 0
    bars, layers = st.columns([1.15, 1], gap="large")
    chosen = found.estimates[index]
    end = _steady("probe-end", (asked, k, index), charts.axis_end(charts.reach(chosen)))
    figures = {"atoms": charts.estimated(chosen, end), "image share": charts.gauge(chosen.share)}
    figures["by layer"] = charts.by_layer(found.points, [[t.value for t in e.terms] for e in found.estimates])
    with bars:
        st.selectbox(
            "Where picture and words are read",
            found.points,
            key="probe-point",
            bind="query-params",
            help="Before fusion the streams are apart. After a layer that fuses them, the positions of one hold both.",
        )
        titled(chosen.sentence("the picture", "the question") if index == 0 else _later(chosen), words.PROBE)
        if ended:
            chart(figures["atoms"])
        else:
            quick.bars(quick.of_estimate(chosen), end)
        if chosen["unique_1"].status == "shown" and (why := chosen["synergistic"].why):
            st.caption(why)
        share = chosen.share
        told = (
            share.why if share.why else f"{100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"
        )
        titled(f"**CI : CT** · image share {told}", words.SHARE)
        chart(figures["image share"])
    with layers:
        st.markdown("**Layer by layer**")
        if any(t.value == t.value for e in found.estimates for t in e.terms):
            chart(figures["by layer"])
        else:
            st.caption("Nothing can be shown yet.")
        st.caption(
            f"{found.n} items read, {chosen.n} counted · {chosen.states[0]} x {chosen.states[1]} states, "
            f"{chosen.states[2]} answers · accuracy {found.accuracy:.3f} · solutions certified to {chosen.gap:.0e} bit"
        )
        if ended:
            data = {
                "model": asked.model,
                "items": found.n,
                "kinds": asked.kinds,
                "prior": asked.prior,
                "k": k,
                "points": {p: e.to_dict() for p, e in zip(found.points, found.estimates, strict=True)},
            }
            save_all("pid", figures, data, _frame(found), f"{asked.model} · {found.n} items, {', '.join(asked.kinds)}")
            st.code(_as_python(asked, k), language=None)


def _later(found: Estimate) -> str:
    return found.sentence("the image positions", "the question positions")


def _steady(key: str, what: object, end: float) -> float:
    """The end of an axis that only grows while one thing is drawn."""
    before, held = st.session_state.get(key, (None, 0.0))
    end = max(end, held) if before == what else end
    st.session_state[key] = what, end
    return end


def _frame(found: Live) -> pd.DataFrame:
    frames = [e.to_frame().assign(point=p, n=e.n) for p, e in zip(found.points, found.estimates, strict=True)]
    return pd.concat(frames, ignore_index=True)


def _as_python(asked: Asked, k: int) -> str:
    return (
        f'vlm = vlmlens.load("{asked.model}")\n'
        f'items = take("test", 0, {asked.items}, prior={asked.prior}, kinds={asked.kinds!r})\n'
        f"running = Running(k={k})\n"
        "for part in vlm.read([i.scene for i in items], [i.question.text for i in items]):\n"
        "    running.add(part)\n"
        "running.estimates(final=True)"
    )
