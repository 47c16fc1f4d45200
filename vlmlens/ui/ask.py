"""The left part of a page: which model, which picture, which question."""

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.lab.questions import suggestions
from vlmlens.lab.scenes import Scene
from vlmlens.models import list_models
from vlmlens.models.families import known
from vlmlens.trace import open_trace
from vlmlens.ui import pool
from vlmlens.ui.compose import open_composer
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
        _names(request.model, *request.beside),
        key="beside",
        help="The same picture and question, asked of other models too.",
    )
    _saved_trace()
    remember(request)


def pick_input(request: Request) -> None:
    """The widgets of one model, one picture and one question."""
    pick_model()
    _pick_picture()
    _pick_question(request)


def pick_model() -> str:
    """The model's name."""
    names = _names(*filter(None, [st.session_state.get("model")]))
    chosen = st.selectbox(
        "Model",
        names,
        key="model",
        accept_new_options=True,
        help="The lab's own models answer questions about lab scenes, without network or GPU. For a Hugging Face model "
        f"({known()}) type its hub name (org/name) or the path of its folder. A seed of the lab's: "
        "lab:concat@1.",
    )
    name = str(chosen or names[0])
    if pool.here(name) and not (info := pool.get(name).info).lab:
        held = f"{info.memory / 2**30:.1f} GiB" if info.memory >= 2**30 else f"{info.memory / 2**20:.1f} MiB"
        millions = info.parameters / 1e6
        count = f"{millions:,.0f}" if millions >= 10 else f"{millions:.3g}"
        st.caption(f"{info.family}, {count} million parameters, {held} in {info.dtype} on {info.device}")
        st.button(
            "Unload", on_click=_unload, args=(name,), help="Gives its memory back; it is loaded again when asked."
        )
    return name


def _unload(name: str) -> None:
    st.session_state.model = pool.DEFAULT
    pool.drop(name)


def _names(*more: str) -> list[str]:
    """The models on offer, and whatever else is asked for."""
    return list(dict.fromkeys([*(model.name for model in list_models()), *more]))


def _pick_question(request: Request) -> None:
    st.text_input(
        "Question", key="question", max_chars=6000, help="Lab models know colors, shapes, sizes, numbers and places."
    )
    if request.source.scene is not None:
        st.pills(
            "Suggestions",
            suggestions(request.source.scene),
            key="suggested",
            on_change=_take_suggestion,
            label_visibility="collapsed",
            wrap=True,
        )


def _pick_picture() -> None:
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
