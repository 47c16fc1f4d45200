"""Widgets and drawings that several views share."""

import json
from typing import Any

import streamlit as st

from vlmlens import __version__, charts
from vlmlens.lab.questions import KINDS
from vlmlens.ui.save import download

ANY = "any kind"


def pick_kind(key: str) -> tuple[str, ...]:
    """One kind of question, or all of them."""
    chosen = st.selectbox(
        "Questions",
        [*KINDS, ANY],
        key=key,
        bind="query-params",
        help="One kind of question has one set of answers. With any kind, what is asked decides most of the answer.",
    )
    return tuple(KINDS) if chosen == ANY else (str(chosen),)


def titled(title: str, help_: tuple[str, str]) -> None:
    """A sentence with its `?`: definition, paper, what it cannot tell."""
    name, text = help_
    st.markdown(title, help=f"**{name}**\n\n{text}")


def save(name: str, figures: dict[str, charts.Figure], data: dict[str, Any], frame: Any, caption: str) -> None:
    """A popover with everything of a view to take away; filled when it is opened."""
    popover = st.popover("Save", icon=":material/download:", key=f"save-{name}", on_change="rerun")
    if not popover.open:
        return
    with popover:
        st.caption("The link in the address bar restores this view.")
        about = f"{caption} · vlmlens {__version__}"
        text = json.dumps(data | {"about": about}, indent=1, ensure_ascii=False)
        download("Numbers, JSON", text.encode, f"{name}.json")
        if frame is not None:
            download("Numbers, CSV", lambda: str(frame.to_csv(index=False)).encode(), f"{name}.csv")
        chosen = st.selectbox("Figure", list(figures), key=f"save-figure-{name}")
        kind = st.segmented_control("As", charts.FORMATS, default="html", key=f"save-kind-{name}", required=True)
        figure = figures[str(chosen)]
        download(f"Figure, {str(kind).upper()}", lambda: charts.export(figure, str(kind), about), f"{name}.{kind}")
