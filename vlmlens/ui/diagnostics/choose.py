"""The left part: which model, which probe set, which tests; what each needs and what there is; the button."""

import streamlit as st

from vlmlens.diagnostics import TESTS, ProbeSet, needs
from vlmlens.errors import UserError
from vlmlens.models import planted_models
from vlmlens.ui.ask import pick_picture, pick_question
from vlmlens.ui.diagnostics import files
from vlmlens.ui.diagnostics import wanted as state
from vlmlens.ui.diagnostics.work import OWN_SIDE, probe_set
from vlmlens.ui.jobs import Pending
from vlmlens.ui.models import hold, offered, pick_model
from vlmlens.ui.request import Request

COLUMNS = (
    "A table, CSV or JSONL, with the columns `picture`, `question`, `answer`; if wanted `options` (separated by |) and "
    "`region` (left top right bottom, in fractions of the picture). Pictures are named from the table's own folder."
)


def choose(request: Request) -> None:
    planted = [model.name for model in planted_models()]
    pick_model(*planted)
    kind = st.segmented_control("Probe set", state.KINDS, key="diag-kind", required=True)
    if kind == state.FILES:
        _pick_files()
    elif kind == state.OWN:
        _pick_own(request)
    else:
        _pick_lab()
    probe = _read(request)
    _pick_tests(probe)
    names = [state.NOBODY, *(name for name in offered(*planted) if name != request.model)]
    if st.session_state["diag-second"] not in names:
        names.append(st.session_state["diag-second"])
    st.selectbox("Compare with", names, key="diag-second", help="A second model or fusion variant on the same items.")
    hold([name for name in (request.model, state.current(request).second) if name])
    st.button(
        "Run the card", type="primary", width="stretch", on_click=state.run, args=(request,), disabled=probe is None
    )


def _pick_lab() -> None:
    scenes, questions = st.columns(2)
    scenes.number_input(
        "Scenes", 2, state.MOST_SCENES, key="diag-scenes", help="Held-out lab scenes; truth and places are known."
    )
    questions.number_input(
        "Questions", 1, state.MOST_QUESTIONS, key="diag-questions", help="Every question is asked of every scene."
    )
    _pick_seed()


def _pick_seed() -> None:
    st.number_input("Seed", 0, 2**31 - 1, key="diag-seed", help="Of scenes, donors, resamples and samples.")


def _pick_files() -> None:
    st.text_input(
        "Folder or table on this machine",
        key="diag-path",
        placeholder="~/my-probe",
        max_chars=1000,
        on_change=_forget_upload,
        help=f"{COLUMNS} Only the table and the pictures that it names inside its folder are read.",
    )
    number = st.session_state.setdefault("diag-upload-number", 0)
    st.file_uploader(
        "Or drop a zip, or the table and its pictures",
        type=[*files.TABLES, "zip", *files.PICTURES],
        accept_multiple_files=True,
        key=f"diag-upload-{number}",
        max_upload_size=200,
        on_change=_take_upload,
        args=(f"diag-upload-{number}",),
        help="Kept in a folder of its own until the server ends; a zip is unpacked there, and nowhere else.",
    )
    if problem := st.session_state.get("diag-upload-problem"):
        st.error(problem)
    _pick_seed()


def _pick_own(request: Request) -> None:
    pick_picture()
    pick_question(request)
    st.text_input(
        "Possible answers",
        key="diag-options",
        placeholder="red, green, blue",
        max_chars=1000,
        help="Separated by commas; of a lab question they are known.",
    )
    st.caption(
        "One picture with changed variants is weak evidence: what is found may hold for it alone. "
        f"A large one is brought to {OWN_SIDE} pixels first."
    )


def _read(request: Request) -> ProbeSet | None:
    """The probe set, or why it cannot be had, in the place where it was named."""
    chosen = state.current(request)
    if chosen.probe == state.Files():
        st.caption(COLUMNS)
        return None
    try:
        found = probe_set(chosen.probe, chosen.seed)
    except Pending:
        return None
    except UserError as error:
        st.error(str(error))
        return None
    if isinstance(chosen.probe, state.Files):
        st.caption(f"Read: {found.ensemble}.")
    return found


def _pick_tests(probe: ProbeSet | None) -> None:
    """One line a test: whether it is wanted, how many items it needs, how many there are."""
    with st.container(gap=None):
        st.markdown(
            "Tests, and the items that they need", help="For the effect that a test looks for, in 80 % of tries."
        )
        for name, test in TESTS.items():
            label, told = name, f"{test.question} {test.threshold}"
            if probe is not None:
                supply = needs(name, probe)
                shape = "✓" if supply.enough else "~ too few"
                label += f" :small[needs {supply.items_needed}, has {supply.items} {shape}]"
                told += f" {supply.sentence()}"
            if name == "dependency":
                told += " Measured with any of them: others mean nothing without it."
            st.checkbox(label, key=f"diag-test-{name}", help=told, disabled=name == "dependency")


def _take_upload(key: str) -> None:
    uploads = st.session_state.get(key) or ()
    st.session_state["diag-upload-problem"] = None
    if not uploads:
        return
    try:
        st.session_state["diag-digest"] = files.keep([(file.name, file.getvalue()) for file in uploads])
    except UserError as error:
        st.session_state["diag-upload-problem"] = str(error)


def _forget_upload() -> None:
    """A path that is typed is what counts."""
    st.session_state["diag-digest"] = ""
    st.session_state["diag-upload-problem"] = None
    st.session_state["diag-upload-number"] += 1
