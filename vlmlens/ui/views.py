"""A page of several views, one file each: the strip to choose one, its question, the link that restores it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import streamlit as st

from vlmlens.ui.look import guard


@dataclass(frozen=True)
class View:
    name: str
    question: str  # the one that it answers
    draw: Callable[[], None]


def named(views: Iterable[View]) -> dict[str, View]:
    """Views by name, in their order."""
    return {view.name: view for view in views}


def show(views: dict[str, View], page: str) -> None:
    """The chosen view under its question. `page` keeps the choices of two pages apart."""
    key, linked = f"view-{page}", st.query_params.get("view")
    if st.session_state.get(key) not in views:
        kept = st.session_state.get(f"kept-{key}")
        st.session_state[key] = linked if linked in views else kept if kept in views else next(iter(views))
    chosen = st.segmented_control("View", list(views), key=key, required=True, label_visibility="collapsed")
    view = views[chosen or next(iter(views))]
    st.session_state[f"kept-{key}"] = view.name
    if st.query_params.get("view") != view.name:
        st.query_params.view = view.name
    st.markdown(f"**{view.question}**")
    with guard():
        view.draw()


def choose(page: str, name: str) -> None:
    """Open another view of a page; for a button's `on_click`."""
    st.session_state[f"view-{page}"] = name
