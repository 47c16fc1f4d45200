"""What the Diagnostics page is asked, as data that a link can carry: models, a probe set, tests, a seed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlit as st

from vlmlens.diagnostics import TESTS
from vlmlens.models import ours
from vlmlens.ui.request import Request, address
from vlmlens.ui.source import Source

LAB, FILES, OWN = "lab scenes", "my files", "my picture"
KINDS = (LAB, FILES, OWN)
MOST_SCENES, MOST_QUESTIONS = 512, 16
NOBODY = "—"
RAN = "diag-ran"  # in the session's state: what was asked for with the button, or by a link


@dataclass(frozen=True)
class Lab:
    """Held-out scenes crossed with questions."""

    scenes: int = 64
    questions: int = 16


@dataclass(frozen=True)
class Files:
    """A table of questions with its pictures: a path on this machine, or the digest of what was uploaded."""

    path: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Own:
    """One picture and its variants."""

    source: Source
    question: str
    options: tuple[str, ...] = ()


Probe = Lab | Files | Own


@dataclass(frozen=True)
class Asked:
    model: str
    probe: Probe
    seed: int = 0
    tests: tuple[str, ...] = tuple(TESTS)
    second: str = ""


FIRST_LOOK = Lab(16, 8)  # seconds on a lab model; too few items for most verdicts, and the page says so

# Widgets by key, with what they say before anyone has touched them, and their name in the address.
WIDGETS: Mapping[str, tuple[Any, str]] = {
    "diag-kind": (LAB, "probe"),
    "diag-seed": (0, "seed"),
    "diag-scenes": (Lab.scenes, "scenes"),
    "diag-questions": (Lab.questions, "questions"),
    "diag-path": ("", "path"),
    "diag-digest": ("", "files"),
    "diag-options": ("", "options"),
    "diag-second": (NOBODY, "second"),
}
MOST = {"diag-seed": 2**31 - 1, "diag-scenes": MOST_SCENES, "diag-questions": MOST_QUESTIONS}
LEAST = {"diag-seed": 0, "diag-scenes": 2, "diag-questions": 1}


def restore(request: Request) -> None:
    """In a new session, from the address; on coming back from another page, what the widgets said before."""
    state = st.session_state
    linked = "diag-begun" not in state
    if linked:
        state["diag-begun"] = True
        _from_address()
    tests = {f"diag-test-{name}": True for name in TESTS}
    for key, default in [*((key, value) for key, (value, _) in WIDGETS.items()), *tests.items()]:
        state[key] = state[f"kept-{key}"] = state.get(key, state.get(f"kept-{key}", default))
    if linked and "probe" in st.query_params:
        state[RAN] = current(request)


def _from_address() -> None:
    """What cannot be used is left as it would be without a link."""
    told = st.query_params
    for key, (default, name) in WIDGETS.items():
        if name not in told:
            continue
        value: Any = told[name]
        if isinstance(default, int):
            if not value.isascii() or not value.isdigit() or not LEAST[key] <= int(value) <= MOST[key]:
                continue
            value = int(value)
        elif key == "diag-kind" and value not in KINDS:
            continue
        st.session_state[key] = value
    if "tests" in told:
        for name in TESTS:
            st.session_state[f"diag-test-{name}"] = name in (*told["tests"].split(","), "dependency")


def current(request: Request) -> Asked:
    """What the widgets say."""
    state = st.session_state
    probe: Probe
    if state["diag-kind"] == FILES:
        probe = Files("", state["diag-digest"]) if state["diag-digest"] else Files(state["diag-path"].strip())
    elif state["diag-kind"] == OWN:
        told = state["diag-options"].replace("|", ",").split(",")
        probe = Own(request.source, request.question, tuple(text for one in told if (text := one.strip().lower())))
    else:
        probe = Lab(int(state["diag-scenes"]), int(state["diag-questions"]))
    second = "" if state["diag-second"] in (None, NOBODY, request.model) else str(state["diag-second"])
    tests = tuple(name for name in TESTS if state[f"diag-test-{name}"])
    return Asked(request.model, probe, int(state["diag-seed"]), tests, second)


def ran(request: Request) -> Asked | None:
    """What is shown: what was run, or a first look at a model that is always here."""
    found: Asked | None = st.session_state.get(RAN)
    if found is None and ours(request.model):
        return Asked(request.model, FIRST_LOOK)
    return found


def run(request: Request) -> None:
    """What stands in the widgets is what is shown from here on."""
    st.session_state[RAN] = current(request)


def remember(asked: Asked) -> None:
    """Write it into the address, so that the link restores the card."""
    probe = asked.probe
    names = [*(name for _, name in WIDGETS.values()), "tests", "scene", "picture", "q", "beside"]
    wanted: dict[str, list[str]] = {name: [] for name in names}
    wanted["model"], wanted["seed"] = [asked.model], [str(asked.seed)]
    if asked.second:
        wanted["second"] = [asked.second]
    if asked.tests != tuple(TESTS):
        wanted["tests"] = [",".join(asked.tests)]
    match probe:
        case Lab(scenes, questions):
            wanted |= {"probe": [LAB], "scenes": [str(scenes)], "questions": [str(questions)]}
        case Files(path, digest):
            wanted |= {"probe": [FILES], "path": [path] if path else [], "files": [digest] if digest else []}
        case Own(source, question, options):
            where = "scene" if source.kind == "scene" else "picture"
            wanted |= {"probe": [OWN], where: [source.text], "q": [question]}
            wanted["options"] = [", ".join(options)] if options else []
    address(wanted)


def in_words(asked: Asked) -> str:
    """What a card is about."""
    match asked.probe:
        case Lab(scenes, questions):
            over = f"{scenes} lab scenes x {questions} questions"
        case Files(path, _):
            over = f"“{path}”" if path else "the uploaded files"
        case Own(_, question, _):
            over = f"one picture and “{question}”"
    return f"{asked.model} on {over}, seed {asked.seed}"
