"""What a page is asked, as data that a link can carry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from vlmlens.errors import PictureError
from vlmlens.lab.scenes import Scene
from vlmlens.ui.pool import DEFAULT
from vlmlens.ui.source import Source, examples

QUESTION = "what color is the star?"


@dataclass(frozen=True)
class Request:
    """One picture and one question for one model, and others beside it if wanted."""

    model: str
    source: Source
    question: str
    beside: tuple[str, ...] = ()


def asked() -> Request:
    """What the widgets of `ui.ask` say, drawn or still to be drawn; in a new session, what the link says."""
    state = st.session_state
    if "source" not in state:
        state.lost = _restore()
    # Streamlit forgets a widget's value where another page draws the widget, or none; what is set here it keeps.
    for key, default in (("model", DEFAULT), ("question", QUESTION), ("beside", [])):
        state[key] = state[f"kept-{key}"] = state.get(key, state.get(f"kept-{key}", default))
    model = str(state.model or "")
    return Request(model, state.source, state.question, tuple(name for name in state.beside if name != model))


def _restore() -> str | None:
    """Fill the session's state from the address. Returns what could not be restored, in words."""
    asked = st.query_params
    st.session_state.model = asked.get("model", DEFAULT)
    st.session_state.question = asked.get("q", QUESTION)
    st.session_state.beside = asked.get_all("beside")
    st.session_state.source = Source.of_scene(examples()[0])
    st.session_state.example = None if {"scene", "picture"} & set(asked) else 1
    try:
        if "scene" in asked:
            st.session_state.source = Source.of_scene(Scene.from_json(asked["scene"]))
        elif "picture" in asked:
            source = Source("upload", asked["picture"])
            source.load()
            st.session_state.source = source
    except PictureError as error:
        return f"{error} An example is shown in its place."
    return None


def remember(request: Request) -> None:
    """Write the request into the address, so that the link restores it; what else stands there stays."""
    where = "scene" if request.source.kind == "scene" else "picture"
    wanted = {
        "model": [request.model],
        "q": [request.question],
        "scene": [request.source.text] if where == "scene" else [],
        "picture": [request.source.text] if where == "picture" else [],
        "beside": list(request.beside),
    }
    address(wanted)


def address(wanted: Mapping[str, Sequence[str]]) -> None:
    """Write these into the address, none for an empty one; what else stands there stays."""
    for key, values in wanted.items():
        if st.query_params.get_all(key) == list(values):
            continue
        if values:
            st.query_params[key] = list(values)
        else:
            del st.query_params[key]
