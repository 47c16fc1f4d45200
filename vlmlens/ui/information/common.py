"""Widgets and drawings that several views share."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from vlmlens import __version__, charts
from vlmlens.lab.questions import KINDS
from vlmlens.models import list_models

ANY = "any kind"


def pick_model(key: str = "model") -> str:
    """The model's name; the same widget value as on the other pages."""
    names = [model.name for model in list_models()]
    current = st.session_state.get(key)
    others = [current] if current and current not in names else []
    chosen = st.selectbox(
        "Model",
        [*names, *others],
        key=key,
        accept_new_options=True,
        help="A lab model, a training seed (lab:concat@1), a Hugging Face hub name, or the path of a folder.",
    )
    return str(chosen or names[0])


def pick_kind(key: str, extra: Sequence[str] = (ANY,)) -> tuple[str, tuple[str, ...]]:
    """A kind of question, by name and as kinds."""
    chosen = st.selectbox(
        "Questions",
        [*KINDS, *extra],
        key=key,
        bind="query-params",
        help="One kind of question has one set of answers. With any kind, what is asked decides most of the answer.",
    )
    return str(chosen), (tuple(KINDS) if chosen == ANY else (str(chosen),))


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
        _file("Numbers, JSON", text.encode, f"{name}.json")
        if frame is not None:
            _file("Numbers, CSV", lambda: str(frame.to_csv(index=False)).encode(), f"{name}.csv")
        chosen = st.selectbox("Figure", list(figures), key=f"save-figure-{name}")
        kind = st.segmented_control("As", charts.FORMATS, default="html", key=f"save-kind-{name}", required=True)
        figure = figures[str(chosen)]
        _file(f"Figure, {str(kind).upper()}", lambda: charts.export(figure, str(kind), about), f"{name}.{kind}")


def _file(label: str, make: Callable[[], bytes], name: str) -> None:
    st.download_button(label, make, f"vlmlens-{name}", key=f"{name}-{label}", on_click="ignore", width="stretch")
