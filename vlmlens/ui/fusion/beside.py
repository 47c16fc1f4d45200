"""Side by side: two wirings, or any two models, asked the same; the same map, the same ruler, the same axes."""

import numpy as np
import pandas as pd
import streamlit as st

from vlmlens import charts
from vlmlens.attention import Budget, Contributions, budget, contributions, hottest_window
from vlmlens.attribution import METHODS, Map
from vlmlens.lab import runs
from vlmlens.lab.weights import SEEDS, LabName
from vlmlens.models import ours, planted_models
from vlmlens.trace import Segment, Trace
from vlmlens.ui import results
from vlmlens.ui.ask import pick_picture, pick_question
from vlmlens.ui.fusion import gallery_words as words
from vlmlens.ui.inspect.choice import Choice, case_of, map_of
from vlmlens.ui.look import chart, guard, titled
from vlmlens.ui.models import hold, offered
from vlmlens.ui.request import Request, asked, remember
from vlmlens.ui.save import save_all

SIDES = ("one", "other")
FIRST = {"one": "lab:txt2img", "other": "lab:concat"}
LINK = "fusion-maps"


def draw() -> None:
    request = asked()
    left, rest = st.columns([1, 3.6], gap="medium")
    with rest:
        method = _method()
        columns = st.columns(2, gap="medium")
        names = {side: _pick(side, column) for side, column in zip(SIDES, columns, strict=True)}
    hold([request.model, *names.values()])
    with rest:
        if len(set(names.values())) == 1:
            st.info("This is one model twice: everything will be the same. Choose another model or another seed.")
        traces: dict[str, Trace] = {}
        for side, column in zip(SIDES, columns, strict=True):
            with column, guard():
                traces[side] = _asked(request, names[side])
                _found(request, traces[side], side, method)
        if len(traces) == len(SIDES):
            with guard():
                _budgets(traces)
    with left:  # last, so that the answers stand first
        if problem := st.session_state.get("lost"):
            st.warning(problem)
        pick_question(request)
        pick_picture()
        remember(request)


def _method() -> str:
    """One map for both: a gradient or an occlusion compares across wirings, what a model attends to less so."""
    return str(
        st.selectbox(
            "Map, the same for both",
            list(METHODS),
            key="fusion-map",
            bind="query-params",
            help="\n".join(f"- **{name}**: {row.sentence}" for name, row in METHODS.items()) + f"\n\n{words.MAPS[1]}",
        )
    )


def names() -> list[str]:
    """What can stand side by side: lab and planted models, finished training runs, what is in the local cache."""
    more = [model.name for model in planted_models()]
    more += [run.model for run in runs.every() if run.finished]
    return [name for name in offered(*more) if not _lab(name) or LabName.parse(name).path.exists()]


def _pick(side: str, column: "st.delta_generator.DeltaGenerator") -> str:
    """A model and, for one of the lab's wirings, its seed."""
    with column, st.container(horizontal=True, vertical_alignment="bottom"):
        known = names()
        first = FIRST[side] if FIRST[side] in known else known[0]
        chosen = str(
            st.selectbox(
                "One" if side == "one" else "The other",
                known,
                index=known.index(first),
                key=f"fusion-{side}",
                bind="query-params",
                accept_new_options=True,
                help="A lab wiring, a planted model (planted:blind), a training run of yours (run:NAME), or any model "
                "that the model list of Inspect takes.",
            )
            or first
        )
        if not _lab(chosen):
            return chosen
        kind = LabName.parse(chosen).kind
        seeds = [seed for seed in SEEDS if LabName(kind, seed).path.exists()]
        if "@" in chosen or len(seeds) < 2:
            return chosen
        seed = st.segmented_control(
            "Seed", seeds, default=seeds[0], key=f"fusion-seed-{side}-{kind}", bind="query-params", required=True
        )
        return str(LabName(kind, int(seed or 0)))


def _lab(name: str) -> bool:
    return name.startswith("lab:")


def _asked(request: Request, name: str) -> Trace:
    results.notices(request, results.model(name))
    return results.inspect(request, name)


def _found(request: Request, trace: Trace, side: str, method: str) -> None:
    """Answer, map and the causal check of the map's hottest region."""
    results.answer(trace, request.source.scene)
    results.ranked(trace)
    found = _map(request, trace, method)
    if found is None:
        results.picture_with_maps(request, trace, f"fusion-picture-{side}", None, link=LINK, tools=("hover",))
        return
    place = _place(found, side, trace.model)
    hottest = _hottest(found, place, trace)
    results.picture_with_maps(
        request, trace, f"fusion-picture-{side}", found, hottest, place, link=LINK, tools=("hover",)
    )
    if ours(trace.model):
        with guard():
            results.check(request, trace, hottest, f"the hottest region of {found.labels[place].split(':')[0]}")


def _map(request: Request, trace: Trace, method: str) -> Map | None:
    """None, and why, where the model has no such map."""
    found: Map | None = None
    choice = Choice(method)
    with guard():
        found = map_of(request, case_of(request, trace, choice), choice)
    return found


def _place(found: Map, side: str, model: str) -> int:
    """Which slice of a map is shown: layers of two wirings are not the same layers, so each has its own choice."""
    if len(found.labels) == 1:
        return 0
    key = f"fusion-slice-{side}-{found.method}-{model}"
    if st.session_state.get(key) not in found.labels:
        st.session_state[key] = found.labels[found.first]
    return found.labels.index(str(st.selectbox("Layer", found.labels, key=key)))


def _hottest(found: Map, place: int, trace: Trace) -> tuple[int, ...]:
    """Of a signed map only what speaks for the answer."""
    return hottest_window(np.maximum(np.nan_to_num(found.cells(place)), 0), trace.grid.shape)


def _budgets(traces: dict[str, Trace]) -> None:
    """Both budgets by one ruler: shares of attention where they compare, else contributions, and why."""
    splits = {side: budget(trace) for side, trace in traces.items()}
    parts = {side: contributions(trace) for side, trace in traces.items()}
    apart = [traces[side].model for side, split in splits.items() if not split.competes.any()]
    ruler = "contribution"
    if not apart:
        ruler = str(
            st.segmented_control(
                "Budget", ["share", "contribution"], default="share", key="fusion-budget", required=True
            )
        )
    titled(budget_told(traces, splits, parts, apart, ruler), words.BUDGETS)
    figures = {}
    for side, column in zip(SIDES, st.columns(2, gap="medium"), strict=True):
        with column:
            figure = charts.budget(splits[side]) if ruler == "share" else charts.contributions(parts[side])
            figures[f"{ruler} {traces[side].model}"] = figure
            chart(figure)
            st.caption(traces[side].model)
    frame = _frame(traces, splits if ruler == "share" else parts)
    st.dataframe(frame, width="stretch", hide_index=True, height=200)
    data = {
        traces[side].model: {
            "answers": [[answer.text, answer.probability] for answer in traces[side].answers],
            "ruler": ruler,
            "budget": [[None if x != x else float(x) for x in row] for row in _shares(splits, parts, side, ruler)],
        }
        for side in traces
    }
    told = " and ".join(charts.caption(trace) for trace in traces.values())
    save_all("side-by-side", figures, data, frame, told)


def _shares(splits: dict[str, Budget], parts: dict[str, Contributions], side: str, ruler: str) -> np.ndarray:
    return splits[side].share if ruler == "share" else parts[side].share


def budget_told(
    traces: dict[str, Trace],
    splits: dict[str, Budget],
    parts: dict[str, Contributions],
    apart: list[str],
    ruler: str,
) -> str:
    """The picture's part in both, in one sentence, and why by this ruler."""
    numbers = []
    for side, trace in traces.items():
        with np.errstate(all="ignore"):
            image = splits[side].of(Segment.IMAGE) if ruler == "share" else parts[side].of(Segment.IMAGE)
        known = image[~np.isnan(image)]
        numbers.append(f"{trace.model} **{100 * known.mean():.0f} %**" if len(known) else f"{trace.model} n/a")
    if ruler == "share":
        return (
            f"The picture's share of attention, mean of the layers where it competes with words: {', '.join(numbers)}."
        )
    why = f" Shares of attention do not compare: in {' and '.join(apart)} picture and words share no softmax."
    return f"From picture positions came, of what attention wrote: {', '.join(numbers)}.{why if apart else ''}"


def _frame(traces: dict[str, Trace], found: "dict[str, Budget] | dict[str, Contributions]") -> pd.DataFrame:
    rows = []
    for side, trace in traces.items():
        own = found[side]
        for label, shares in zip(own.labels, own.share, strict=True):
            row: dict[str, object] = {"model": trace.model, "layer": label}
            for segment, value in zip(own.segments, shares, strict=True):
                row[segment.word] = "n/a" if value != value else f"{value:.3f}"
            rows.append(row)
    return pd.DataFrame(rows).fillna("none there")
