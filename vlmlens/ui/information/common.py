"""Widgets and drawings that several views share."""

import streamlit as st

from vlmlens.lab.questions import KINDS

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
