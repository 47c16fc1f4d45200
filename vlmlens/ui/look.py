"""The page's frame: title, columns that stack on a phone, and the few rules of style that Streamlit lacks."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import streamlit as st

from vlmlens.charts import PICKED, Figure
from vlmlens.errors import NotApplicable
from vlmlens.lab.draw import draw
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.ui.jobs import Pending, in_words

HEAD_START = 0.5  # seconds

VERDICTS = {  # a word, a shape and a colour: never colour alone
    "more than elsewhere": ("✓", "It mattered", "green"),
    "no more than elsewhere": ("✕", "No more than elsewhere", "red"),
    "inconclusive": ("~", "Inconclusive", "gray"),
}

# A picture and no icon name: Streamlit fetches named icons for the browser's tab from the network.
ICON = draw(Scene((Thing(4, "orange", "circle", "large"), Thing(2, "blue", "square", "small"))), 64)

_STYLE = """
<style>
.stMainBlockContainer { padding: 3.4rem 2rem 2rem; }
.stMainBlockContainer [data-testid="stVerticalBlock"] { gap: 0.6rem; }
.lens-title { margin: 0; font-size: 0.95rem; }
.lens-title h1 { display: inline; font-size: 1.35rem; padding: 0; margin-right: 0.8rem; }
.lens-answer { font-size: 1.6rem; font-weight: 650; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
.lens-answer.long { font-size: 1.1rem; line-height: 1.35; }
.lens-answer small { font-size: 1rem; font-weight: 400; margin-left: 0.5rem; }
/* Chosen buttons keep the text's own colour: the primary one is too dark to read on the dark ground. */
.stMain button[role="radio"][aria-checked="true"] { color: inherit; }
/* Small type and the numbers of sliders: Streamlit's own colours miss the contrast that small type needs. */
.stMain [data-testid="stCaptionContainer"], .stMain [data-testid="stCaptionContainer"] p { color: inherit; }
.stMain [data-testid="stCaptionContainer"] { opacity: 0.8; }
.stMain [data-testid="stSliderThumbValue"], .stMain [data-testid="stSliderThumbValue"] p { color: inherit; }
@media (max-width: 640px) { .stMainBlockContainer { padding: 3.4rem 0.8rem 1rem; } }
</style>
"""


def page(title: str, question: str) -> None:
    """Set the page up. `question` is the one that the page answers."""
    st.set_page_config(page_title=f"{title} · vlmlens", page_icon=ICON, layout="wide")
    st.html(_STYLE)
    st.html(f'<div class="lens-title"><h1>{title}</h1>{question}</div>')


@contextmanager
def guard() -> Iterator[None]:
    """Whatever fails inside is told in words, what is not ready yet has its bar, and the page goes on."""
    try:
        yield
    except Pending:
        pass
    except NotApplicable as refusal:
        st.info(f"n/a: {refusal}")
    except Exception as error:  # Streamlit's own stop and rerun are BaseExceptions and pass
        st.error(in_words(error))


def head_start() -> None:
    """Once a session, hold back what follows, so that the browser paints the picture and the answer first.

    It lays out all that has come before it paints anything: on two cores the picture stands after 1.9 s with this and
    after 3.2 s without, and the rest at the same time (benchmarks/page.py measures it).
    """
    if not st.session_state.get("begun"):
        st.session_state.begun = True
        time.sleep(HEAD_START)


def chart(figure: Figure, key: str | None = None) -> list[dict[str, Any]]:
    """A figure across its column, its words in the theme's ink, told in a sentence to who cannot see it.

    With a key, what was picked on it: the fields of each point.
    """
    ink = "#E6E6E2" if st.context.theme.type == "dark" else "#31333F"
    spec = figure.spec | {"config": figure.spec["config"] | {"text": {"color": ink}}}
    if key is None:
        st.vega_lite_chart(spec, width="stretch", alt=figure.told)
        return []
    state = st.vega_lite_chart(spec, width="stretch", alt=figure.told, key=key, on_select="rerun")
    return list(state.selection.get(PICKED) or ())


def explain(title: str, text: str) -> None:
    """The `?` beside a chart: definition, formula, paper, what it cannot tell."""
    with st.popover("?", help=title, width="content"):
        st.markdown(f"**{title}**\n\n{text}")


def verdict(question: str, word: str, color: str, help_: tuple[str, str]) -> None:
    """A question with its answer in a word, and the `?` of it."""
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.markdown(f"**{question}** &nbsp; :{color}-badge[{word}]", width="content")
        explain(*help_)


def titled(title: str, help_: tuple[str, str]) -> None:
    """A sentence with its `?`: definition, paper, what it cannot tell."""
    name, text = help_
    st.markdown(title, help=f"**{name}**\n\n{text}")
