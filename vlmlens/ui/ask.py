"""The left part of a page: which model, which picture, which question."""

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.lab.questions import suggestions
from vlmlens.lab.scenes import Scene
from vlmlens.trace import open_trace
from vlmlens.ui.compose import open_composer
from vlmlens.ui.models import hold, offered, pick_model
from vlmlens.ui.request import Request, remember
from vlmlens.ui.source import EXAMPLES, Source, examples

FILES = ["png", "jpg", "jpeg", "gif", "bmp", "webp", "tif", "tiff"]


def ask(request: Request) -> None:
    """Draw the widgets that `asked` reads; the address follows, so that the link restores what is asked."""
    if message := st.session_state.get("lost"):
        st.warning(message)
    pick_input(request)
    st.multiselect(
        "Side by side with",
        offered(request.model, *request.beside),
        key="beside",
        help="The same picture and question, asked of other models too.",
    )
    _saved_trace()
    remember(request)


def pick_input(request: Request, folded: bool = False) -> None:
    """The widgets of one model, one picture and one question; folded where a page has more to show beside them."""
    pick_model()
    hold([request.model, *request.beside])
    if not folded:
        pick_picture()
        pick_question(request)
        return
    type_question()
    pick_folded(request, "pick")


def pick_folded(request: Request, view: str) -> None:
    """The picture and, for a lab scene, suggestions, each behind a button; `view` keeps those of two views apart."""
    parts = [("Picture", pick_picture)]
    if request.source.scene is not None:
        parts.append(("Suggestions", lambda: suggest(request)))
    with st.container(horizontal=True, gap="small"):
        for label, draw in parts:
            popover = st.popover(label, key=f"{view}-{label.lower()}", on_change="rerun")
            if popover.open:
                with popover:
                    draw()


def pick_question(request: Request) -> None:
    """The widget of one question, with suggestions for a lab scene."""
    type_question()
    suggest(request)


def type_question() -> None:
    """The widget of one question alone."""
    st.text_input(
        "Question", key="question", max_chars=6000, help="Lab models know colors, shapes, sizes, numbers and places."
    )


def suggest(request: Request) -> None:
    """Questions that have an answer on the scene that is asked about."""
    if request.source.scene is not None:
        st.pills(
            "Suggestions",
            suggestions(request.source.scene),
            key="suggested",
            on_change=_take_suggestion,
            label_visibility="collapsed",
            wrap=True,
        )


def pick_picture() -> None:
    """The widgets of one picture: a file, an example, a composed scene."""
    number = st.session_state.setdefault("upload_number", 0)
    st.file_uploader(
        "Picture: drop, paste or pick a file",
        type=FILES,
        key=f"upload-{number}",
        max_upload_size=40,
        on_change=_take_upload,
        args=(f"upload-{number}",),
    )
    if problem := st.session_state.get("upload_problem"):
        st.error(problem)
    st.pills(
        "Or an example lab scene",
        range(1, EXAMPLES + 1),
        key="example",
        on_change=_take_example,
    )
    if st.button("Compose a scene", icon=":material/grid_on:", width="stretch"):
        open_composer(st.session_state.source.scene or Scene())


def _saved_trace() -> None:
    with st.expander("Open a saved trace"):
        st.file_uploader(
            "Trace file", type=["safetensors"], key="trace-file", max_upload_size=512, on_change=_take_trace
        )
        if problem := st.session_state.get("trace_problem"):
            st.error(problem)


def _take_trace() -> None:
    file = st.session_state.get("trace-file")
    st.session_state.trace = st.session_state.trace_problem = None
    if file is None:
        return
    try:
        st.session_state.trace = open_trace(file.getvalue())
    except UserError as error:
        st.session_state.trace_problem = str(error)


def _take_upload(key: str) -> None:
    file = st.session_state.get(key)
    st.session_state.upload_problem = None
    if file is None:
        return
    try:
        st.session_state.source = Source.of_file(file.getvalue())
        st.session_state.example = None
        st.session_state.lost = None
    except UserError as error:
        st.session_state.upload_problem = f"{error} The picture before it is still shown."


def _take_example() -> None:
    if st.session_state.example:
        st.session_state.source = Source.of_scene(examples()[st.session_state.example - 1])
        st.session_state.upload_number += 1  # an emptied uploader
        st.session_state.upload_problem = st.session_state.lost = None


def _take_suggestion() -> None:
    if st.session_state.suggested:
        st.session_state.question = st.session_state.suggested
        st.session_state.suggested = None
