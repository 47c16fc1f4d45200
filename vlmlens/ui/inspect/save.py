"""Everything of Inspect to take away: trace, map, numbers, figures, and the lines of Python that make them."""

import json
from collections.abc import Callable

import streamlit as st

from vlmlens import charts
from vlmlens.attention import CausalCheck, budget, contributions
from vlmlens.attribution import METHODS, Map
from vlmlens.attribution.faithfulness import Trust
from vlmlens.picture import encode_png
from vlmlens.trace import Trace, trace_bytes
from vlmlens.ui.inspect.choice import Choice
from vlmlens.ui.request import Request
from vlmlens.ui.save import csv, download

Drawn = tuple[Map, int, Choice]  # a map, its slice, how it was chosen


def save(
    request: Request | None, trace: Trace, drawn: Drawn | None, check: CausalCheck | None, judged: Trust | None
) -> None:
    """A popover with the downloads, filled when it is opened."""
    popover = st.popover("Save", icon=":material/download:", width="stretch", key="save", on_change="rerun")
    if not popover.open:
        return
    with popover:
        st.caption("The link in the address bar restores this page.")
        download("Trace (reopens here without the model)", lambda: trace_bytes(trace), "trace.safetensors")
        download("Numbers, JSON", lambda: _json(trace, drawn, check, judged), "numbers.json")
        download("Budget, CSV", lambda: csv(budget(trace).to_frame()), "budget.csv")
        download("Contribution, CSV", lambda: csv(contributions(trace).to_frame()), "contribution.csv")
        download("Tokens and attention, CSV", lambda: csv(trace.to_frame()), "tokens.csv")
        if drawn is not None:
            found, place, _ = drawn
            download("Picture with the map, PNG", lambda: _overlay(trace, found, place), "map.png")
            download("Map, CSV", lambda: csv(found.to_frame()), "map.csv")
        if judged is not None:
            download("Deletion and insertion, CSV", lambda: csv(judged.to_frame()), "curves.csv")
        figures = _figures(trace, check, judged)
        name = str(st.selectbox("Figure", list(figures), key="save-figure"))
        kind = st.segmented_control("As", charts.FORMATS, default="html", key="save-kind", required=True) or "html"
        caption = charts.caption(trace) + (f" · {drawn[0].method}, {drawn[0].labels[drawn[1]]}" if drawn else "")
        download(
            f"Figure, {kind.upper()}",
            lambda: charts.export(figures[name](), kind, f"{caption} · {name}"),
            f"{name}.{kind}",
        )
        if request is not None and drawn is not None:
            st.caption("The same in Python")
            st.code(as_python(request, trace, drawn), language="python")


def as_python(request: Request, trace: Trace, drawn: Drawn) -> str:
    """Lines that make the map and its verdict again."""
    found, place, choice = drawn
    scene = request.source.scene is not None
    more = ""
    if choice.against:
        more = f", against=next(a for a in trace.answers if a.text == {choice.against!r})"
    picture = f"Scene.from_json({request.source.text!r})" if scene else 'Image.open("your picture")'
    lines = ["import vlmlens", "from vlmlens.attribution import Case, explain"]
    lines += ["from vlmlens.attribution.faithfulness import trust"]
    lines += ["from vlmlens.lab.scenes import Scene" if scene else "from PIL import Image", ""]
    lines += [f"vlm = vlmlens.load({trace.model!r})", f"picture = {picture}", f"question = {request.question!r}"]
    lines += ["trace = vlm.inspect(picture, question)"]
    if METHODS[choice.method].spends:
        more += f", passes={choice.passes}"
    if choice.method == "contrastive":
        lines += ["# the page: over 64 other questions for a lab model"]
        lines += ["sweep = vlmlens.attention.masking_sweep(vlm, picture, question, 'zero')"]
        more += ", fusion=sweep.fusion_layers, review=sweep.review_layer"
    lines += [f"case = Case(vlm, picture, question, trace{more})", f"found = explain({choice.method!r}, case)"]
    lines += [f"print(trust(case, found.cells({place})).sentence())  # {found.labels[place]}"]
    return "\n".join(lines)


def _json(trace: Trace, drawn: Drawn | None, check: CausalCheck | None, judged: Trust | None) -> bytes:
    content = trace.to_dict() | {
        "budget": json.loads(budget(trace).to_frame().to_json(orient="records")),
        "contribution": json.loads(contributions(trace).to_frame().to_json(orient="records")),
    }
    if drawn is not None:
        found, place, choice = drawn
        content["map"] = found.to_dict() | {"judged": found.labels[place], "against": choice.against or None}
    if judged is not None:
        content["trust"] = judged.to_dict()
    elif check is not None:
        content["causal_check"] = check.to_dict()
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def _overlay(trace: Trace, found: Map, place: int) -> bytes:
    return encode_png(charts.overlay(trace.picture, trace.grid, found.cells(place), found.signed))


def _figures(trace: Trace, check: CausalCheck | None, judged: Trust | None) -> dict[str, Callable[[], charts.Figure]]:
    figures = {
        "answers": lambda: charts.answers(trace),
        "share": lambda: charts.budget(budget(trace)),
        "rate": lambda: charts.budget(budget(trace), "rate"),
        "contribution": lambda: charts.contributions(contributions(trace)),
    }
    if check is not None:
        figures["causal check"] = lambda: charts.causal(check)
    if judged is not None:
        figures["curves"] = lambda: charts.curves(judged)
    return figures
