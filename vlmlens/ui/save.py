"""Everything on the page, to take away: trace, numbers, figures. Files are made when they are asked for."""

import json
from collections.abc import Callable

import streamlit as st

from vlmlens import charts
from vlmlens.attention import CausalCheck, budget, contributions, image_maps
from vlmlens.picture import encode_png
from vlmlens.trace import Trace, trace_bytes

FIGURES = ("answers", "share", "rate", "contribution", "causal check")


def save(trace: Trace, place: int, check: CausalCheck | None) -> None:
    """A popover with the downloads, filled when it is opened."""
    popover = st.popover("Save", icon=":material/download:", width="stretch", key="save", on_change="rerun")
    if not popover.open:
        return
    with popover:
        st.caption("The link in the address bar restores this page.")
        download("Trace (reopens here without the model)", lambda: trace_bytes(trace), "trace.safetensors")
        download("Numbers, JSON", lambda: _json(trace, check), "numbers.json")
        download("Budget, CSV", lambda: _csv(budget(trace).to_frame()), "budget.csv")
        download("Contribution, CSV", lambda: _csv(contributions(trace).to_frame()), "contribution.csv")
        download("Tokens and attention, CSV", lambda: _csv(trace.to_frame()), "tokens.csv")
        if image_maps(trace)[0]:
            download("Picture with the map, PNG", lambda: _overlay(trace, place), "map.png")
        figure = st.selectbox("Figure", [f for f in FIGURES if f != "causal check" or check], key="save-figure")
        kind = st.segmented_control("As", charts.FORMATS, default="html", key="save-kind", required=True) or "html"
        download(f"Figure, {kind.upper()}", lambda: _figure(trace, check, str(figure), kind), f"{figure}.{kind}")


def download(label: str, make: Callable[[], bytes], name: str) -> None:
    """A button whose file is made when it is pressed."""
    st.download_button(label, make, f"vlmlens-{name}", key=f"save-{label}", on_click="ignore", width="stretch")


def _csv(frame: object) -> bytes:
    return str(frame.to_csv(index=False)).encode()  # type: ignore[attr-defined]


def _json(trace: Trace, check: CausalCheck | None) -> bytes:
    content = trace.to_dict() | {
        "budget": json.loads(budget(trace).to_frame().to_json(orient="records")),
        "contribution": json.loads(contributions(trace).to_frame().to_json(orient="records")),
    }
    if check is not None:
        content["causal_check"] = check.to_dict()
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def _overlay(trace: Trace, place: int) -> bytes:
    values = image_maps(trace)[1][place, :, 0].mean(axis=0)
    return encode_png(charts.overlay(trace.picture, trace.grid, values))


def _figure(trace: Trace, check: CausalCheck | None, name: str, kind: str) -> bytes:
    figures = {
        "answers": lambda: charts.answers(trace),
        "share": lambda: charts.budget(budget(trace)),
        "rate": lambda: charts.budget(budget(trace), "rate"),
        "contribution": lambda: charts.contributions(contributions(trace)),
    }
    if check is not None:
        figures["causal check"] = lambda: charts.causal(check)
    return charts.export(figures[name](), kind, charts.caption(trace) + f" · {name}")
