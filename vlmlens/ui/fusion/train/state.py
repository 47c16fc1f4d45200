"""Which runs are on the screen: kept while one looks at other pages, and in the link."""

from collections.abc import Sequence

import streamlit as st

from vlmlens.charts.training import MOST_LINES
from vlmlens.ui.request import address

SHOWN, LINKED = "train-shown", "train-run"


def restore(names: Sequence[str], usual: str | None) -> None:
    """What was chosen, or is in the link, and still exists; else `usual`."""
    state = st.session_state
    kept = f"kept-{SHOWN}"
    if SHOWN not in state:
        state[SHOWN] = state[kept] if kept in state else st.query_params.get_all(LINKED) or [usual]
    state[SHOWN] = state[kept] = [name for name in dict.fromkeys(state[SHOWN]) if name in names][:MOST_LINES]


def shown() -> list[str]:
    return list(st.session_state[SHOWN])


def show_only(name: str) -> None:
    """For a callback."""
    st.session_state[SHOWN] = [name]


def remember() -> None:
    address({LINKED: shown()})
