"""The only package that imports Streamlit: widgets, state, links, jobs. Pages choose, call and draw with it."""

import streamlit as st

from vlmlens.ui import pool
from vlmlens.ui.ask import ask
from vlmlens.ui.inspect import judge, opened_trace, show, show_beside, show_more, show_saved
from vlmlens.ui.look import guard, page
from vlmlens.ui.request import Request, asked


@st.cache_resource(show_spinner=False)
def warm_once() -> None:
    """Start loading the lab models, once a server."""
    pool.warm()


__all__ = [
    "Request",
    "ask",
    "asked",
    "guard",
    "judge",
    "opened_trace",
    "page",
    "show",
    "show_beside",
    "show_more",
    "show_saved",
    "warm_once",
]
