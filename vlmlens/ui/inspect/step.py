"""Which token of a generated answer is looked into."""

import streamlit as st

from vlmlens.trace import Trace
from vlmlens.ui import words

KEY = "step"  # in the session's state: the token's number, from 0
LINK = "token"  # in the address: from 1; of the first there is nothing to say


def pick_step(trace: Trace) -> int:
    """A token of the answer, by its number from 0; nothing is drawn where there is but one.

    The address names it by its number: the labels that Streamlit would put there hold probabilities.
    """
    count = len(trace.steps)
    if count < 2 or "answer" not in trace.rows:
        _remember(0)
        return 0
    asked = trace.model, trace.picture_hash, trace.question
    if st.session_state.setdefault("step-of", asked) != asked:
        st.session_state["step-of"], st.session_state[KEY] = asked, 0
    elif KEY not in st.session_state and (number := st.query_params.get(LINK, "")).isdecimal():
        st.session_state[KEY] = int(number) - 1
    if st.session_state.get(KEY) not in range(count):
        st.session_state[KEY] = 0

    def label(step: int) -> str:
        token = trace.steps[step].token
        return f":small[{step + 1}] {words.markdown(token.text)} :small[{token.probability:.2f}]"

    title, told = words.STEPS
    step = st.pills(title, range(count), format_func=label, key=KEY, required=True, help=told, wrap=True) or 0
    _remember(step)
    return step


def _remember(step: int) -> None:
    if step:
        st.query_params[LINK] = str(step + 1)
    elif LINK in st.query_params:
        del st.query_params[LINK]
