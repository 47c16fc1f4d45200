"""Inspect's arrangement: one picture with one map, one verdict, one budget; the rest folded, each fold a question."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from vlmlens.attention import CausalCheck
from vlmlens.attribution import Case, Map
from vlmlens.attribution.faithfulness import Trust
from vlmlens.attribution.from_attention import raw_map
from vlmlens.trace import Trace
from vlmlens.ui import results, words
from vlmlens.ui.inspect import badge, contrast, second, sweep, truth
from vlmlens.ui.inspect.choice import Choice, case_of, map_of, pick, pick_slice
from vlmlens.ui.inspect.save import save
from vlmlens.ui.inspect.step import pick_step
from vlmlens.ui.look import guard
from vlmlens.ui.request import Request


@dataclass(frozen=True, eq=False)
class Shown:
    """What stands on the page, and where what takes longer will stand."""

    request: Request
    trace: Trace
    choice: Choice
    drawn: tuple[Case, Map, int] | None  # the map and the slice of it that is judged
    region: tuple[int, ...]  # that a person drew
    verdict: Any
    downloads: Any


def show(request: Request, seen: Any, found: Any) -> Shown | None:
    """The picture in the middle; answer and budget on the right."""
    shown: Shown | None = None
    with seen, guard():
        vlm = results.model(request.model)
        trace = results.inspect(request)
        with found:
            results.notices(request, vlm)
            results.answer(trace, request.source.scene)
            step = pick_step(trace)
        choice = Choice("raw") if step else pick(trace)
        drawn: tuple[Case, Map, int] | None = None
        region: tuple[int, ...] = ()
        if step:
            _step(request, trace, step)
        else:
            spot = st.container()
            with guard():
                case = case_of(request, trace, choice)
                found_map = map_of(request, case, choice)
                with spot:
                    place = pick_slice(found_map, trace)
                drawn = case, found_map, place
            region = _picture(request, trace, drawn)
        with found, guard():
            results.ranked(trace.at_step(step))
            verdict = st.container()
            results.budgets(trace.at_step(step), "main")
            shown = Shown(request, trace, choice, drawn, region, verdict, st.container())
    return shown


def _step(request: Request | None, trace: Trace, step: int) -> None:
    """Where the step that produced a later token of the answer looked; nothing else is known of it."""
    st.markdown(words.step_sentence(trace, step))
    then = trace.at_step(step)
    raw = _raw(then)
    place = 0 if raw is None else pick_slice(raw, then)
    results.picture_with_maps(request, then, "picture", raw, (), place, tools=("hover",))


def _picture(request: Request, trace: Trace, drawn: tuple[Case, Map, int] | None) -> tuple[int, ...]:
    """The picture under its map, or bare while there is none. Returns the region that a person drew."""
    if drawn is None:
        return results.picture_with_maps(request, trace, "picture", None).region
    _, found, place = drawn
    return results.picture_with_maps(request, trace, "picture", found, badge.region(found, place), place).region


def judge(shown: Shown | None) -> Trust | None:
    """The verdict, and what can be saved with it: last, since it takes longest."""
    if shown is None:
        return None
    check: CausalCheck | None = None
    trust: Trust | None = None
    with shown.verdict, guard():
        if shown.region:
            check = results.check(shown.request, shown.trace, shown.region, "your region")
        elif shown.drawn is not None:
            check, trust = badge.badge(shown.request, shown.choice, *shown.drawn)
    with shown.downloads.container(horizontal=True, vertical_alignment="center"):
        drawn = None if shown.drawn is None else (*shown.drawn[1:], shown.choice)
        save(shown.request, shown.trace, drawn, check, trust)
        st.page_link(
            "app_pages/counterfactual.py", label="Change something", help="The same, to be changed and compared."
        )
    return trust


@dataclass(frozen=True)
class Fold:
    """One question below the first screen, answered when it is opened."""

    name: str
    question: str
    draw: Callable[[Shown, Trust | None], None]


FOLDS = (
    Fold("sweep", "At which layer does it read the picture?", sweep.draw),
    Fold("contrast", "Where does a late layer look that an early one did not, and does that help?", contrast.draw),
    Fold("second", "Do two maps agree?", second.draw),
    Fold("curves", "How fast does the answer fall as patches go?", badge.curves),
    Fold("truth", "Which maps find the object?", truth.draw),
)


def show_more(shown: Shown | None, trust: Trust | None) -> None:
    """The rest, folded."""
    if shown is None:
        return
    for fold in FOLDS:
        opened = st.expander(fold.question, key=f"fold-{fold.name}", on_change="rerun", bind="query-params")
        if opened.open:
            with opened, guard():
                fold.draw(shown, trust)


def show_beside(request: Request) -> None:
    """The same picture and question, asked of the other models, a column each."""
    for start in range(0, len(request.beside), 3):
        names = request.beside[start : start + 3]
        for name, column in zip(names, st.columns(3, gap="medium"), strict=False):
            with column.container(border=True), guard():
                st.subheader(name, anchor=False)
                trace = results.inspect(request, name)
                results.answer(trace, request.source.scene)
                results.ranked(trace)
                if (raw := _raw(trace)) is None:
                    results.picture_with_maps(request, trace, f"picture-{name}", None)
                else:
                    hottest = results.region_of(trace, raw.first)
                    results.picture_with_maps(request, trace, f"picture-{name}", raw, hottest, raw.first)
                    what = f"the hottest region of {raw.labels[raw.first].split(':')[0]}"
                    results.check(request, trace, hottest, what)
                results.budgets(trace, name)


def show_saved(trace: Trace, seen: Any, found: Any) -> None:
    """A trace from a file: everything but what needs the model."""
    with found:
        st.info(
            f"A saved trace of {trace.model}: “{trace.question}”. What needs the model is not shown: other maps, and "
            "whether this one can be trusted. Remove the file to go on asking."
        )
        results.answer(trace, None)
        step = pick_step(trace)
    then = trace.at_step(step)
    with seen:
        if step:
            st.markdown(words.step_sentence(trace, step))
        raw = _raw(then)
        place = 0 if raw is None else pick_slice(raw, then)
        results.picture_with_maps(None, then, "picture-saved", raw, (), place)
    with found:
        results.ranked(then)
        results.budgets(then, "saved")
        save(None, trace, None if raw is None or step else (raw, place, Choice("raw")), None, None)


def _raw(trace: Trace) -> Map | None:
    """The attention that a trace holds; None, and why, where there is no map of it."""
    found: Map | None = None
    with guard():
        found = raw_map(trace)
    return found


def opened_trace() -> Trace | None:
    """The trace in the file that was dropped on the page, if any."""
    trace: Trace | None = st.session_state.get("trace")
    return trace
