"""The left part: what is changed, in order; undo, redo, clear; what else can be changed."""

from dataclasses import replace

import streamlit as st

from vlmlens.errors import UserError
from vlmlens.perturb import PERTURBATIONS, TEXT, Region, Step
from vlmlens.ui.counterfactual import donors, hints, state
from vlmlens.ui.counterfactual.changes import ASK, MOST_WORDS_CHANGES, Changes, Word
from vlmlens.ui.counterfactual.marks import marked
from vlmlens.ui.counterfactual.rows import row_of_step, row_of_word, step_of, word_of
from vlmlens.ui.counterfactual.steps import Told, steps, told
from vlmlens.ui.jobs import in_words
from vlmlens.ui.request import Request, asked
from vlmlens.ui.save import download

LIST, ADD, GROUP, PASTE = "steps", "add-change", "change-group", "changes-paste"
TURN = "add-turn"
GROUPS = {"region": "Region", "whole": "Picture", "words": "Words"}


def take() -> None:
    """What the list told since the page last ran, before anything is computed from it."""
    now = state.history()
    base = now.base
    said = told(st.session_state.get(LIST), str(now.version), len(base.steps) + len(base.words))
    if said is None:
        return
    try:
        after = now.told(_read(base, now.now, said), _order(base, said), said.settled)
    except UserError as error:
        state.say(str(error))
        return
    if after != now:
        state.keep(after)


def _read(base: Changes, now: Changes, said: Told) -> Changes:
    """The changes in the order and with the values that the list shows. Raises UserError."""
    count = len(base.steps)
    return Changes(
        now.scene,
        tuple(step_of(base.steps[row], values) for row, values in said.rows if row < count),
        tuple(word_of(base.words[row - count], values) for row, values in said.rows if row >= count),
    )


def _order(base: Changes, said: Told) -> tuple[int, ...]:
    """The rows of the picture's changes before those of words, as they stand in the changes."""
    return tuple(sorted((row for row, _ in said.rows), key=lambda row: row >= len(base.steps)))


def show(request: Request) -> None:
    """The list with its buttons, and what can be added to it."""
    now = state.history()
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="changes-bar"):
        st.markdown("**Changes**", width="stretch")
        for label, off, act in (
            ("Undo", not now.past, _undo),
            ("Redo", not now.future, _redo),
            ("Clear all", now.now.none, _clear),
        ):
            st.button(label, key=f"changes-{label}", disabled=off, on_click=act, type="tertiary")
        _as_json()
    rows = [*map(row_of_step, now.now.steps), *map(row_of_word, now.now.words)]
    if rows:
        steps(rows, now.rows, key=LIST, version=str(now.version))
    donors.upload(now.now.steps)
    if now.now.scene is not None:
        st.caption("The scene was composed anew.")
    if problem := state.problem():
        st.warning(problem)
    _add(request)


def _undo() -> None:
    state.keep(state.history().undone())


def _redo() -> None:
    state.keep(state.history().redone())


def _clear() -> None:
    state.make(Changes())


def _as_json() -> None:
    popover = st.popover("JSON", help="The changes as a text to copy, save and paste", key="as-json", on_change="rerun")
    if not popover.open:
        return
    with popover:
        text = state.history().now.to_json()
        st.code(text, language="json", wrap_lines=True)
        download("Changes, JSON", text.encode, "changes.json")
        st.text_area("Paste changes", key=PASTE, placeholder='{"picture": [{"name": "blur", "strength": 0.5}]}')
        st.button("Use them", on_click=_paste, width="stretch")


def _paste() -> None:
    try:
        state.make(Changes.from_json(st.session_state.get(PASTE, "")))
    except UserError as error:
        state.say(f"{in_words(error)} What was there is still there.")


def _add(request: Request) -> None:
    group = st.segmented_control(
        "Add a change of", list(GROUPS), format_func=GROUPS.__getitem__, default="region", key=GROUP, required=True
    )
    offered = _offered(str(group))
    st.selectbox(
        "Add a change",
        list(offered),
        index=None,
        format_func=lambda name: offered.get(name, name),
        key=f"{ADD}-{_turn()}",
        placeholder="Add a change …",
        label_visibility="collapsed",
        on_change=_added,
        args=(str(group), f"{ADD}-{_turn()}"),
    )
    if group == "region" and marked().region is None:
        st.caption("Draw on the picture first: a change of a region is made where you drew.")


def _offered(group: str) -> dict[str, str]:
    """What can be added, and how it is called."""
    if group != "words":
        return {name: row.label for name, row in PERTURBATIONS.items() if row.group == group}
    named = {ASK: "Another question", **{f"hint-{kind}": label for kind, label in hints.KINDS.items()}}
    return named | {name: row.label for name, row in TEXT.items() if name != "hint"}


def _turn() -> int:
    """How often something was chosen: each time by a new widget.

    One that is emptied is full in the browser until it is drawn again, and a run in between would choose once more.
    """
    return int(st.session_state.get(TURN, 0))


def _added(group: str, key: str) -> None:
    name = st.session_state.get(key)
    st.session_state[TURN] = _turn() + 1
    if not name:
        return
    now = state.history().now
    try:
        if group == "words":
            if len(now.words) >= MOST_WORDS_CHANGES:
                state.say(f"There are {MOST_WORDS_CHANGES} changes of words already; take one out.")
                return
            state.make(replace(now, words=(*now.words, _word(name, asked()))))
        elif (step := _step(name, now)) is not None:
            state.make(replace(now, steps=(*now.steps, step)))
    except UserError as error:
        state.say(str(error))


def _word(name: str, request: Request) -> Word:
    wording = "lab" if request.model.startswith(("lab:", "run:")) else "everyday"
    if name == ASK:
        return Word(ASK, text=request.question)
    if name.startswith("hint-"):
        text = hints.hint(name.removeprefix("hint-"), request.question, state.scene_after(request))
        return Word("hint", text=text)
    if name == "options":
        return Word(name, text=hints.choices(request.question))
    return Word(
        name, words=4 if wording == "lab" else 20, wording=wording if name in ("filler", "synonym") else "everyday"
    )


def _step(name: str, now: Changes) -> Step | None:
    """A new step where the person marked; None where they must mark first, and told so."""
    row = PERTURBATIONS[name]
    mark = marked()
    if row.needs_region and mark.region is None:
        state.say(f"“{row.label}” changes a region, and none is marked. Draw one on the picture, then add it again.")
        return None
    region = mark.region if row.group == "region" else None
    to = (mark.to or _away(region)) if row.needs_target and region is not None else None
    donor = donors.first(asked().source) if row.needs_donor else ""
    return Step(name, row.strength, 0, region, to, donor)


def _away(region: Region) -> tuple[float, float]:
    """Where a region goes before it is told: to the other side of the middle."""
    xs, ys = zip(*region.points, strict=True)
    x, y = (min(xs) + max(xs)) / 2, (min(ys) + max(ys)) / 2
    if abs(x - 0.5) < 0.1 and abs(y - 0.5) < 0.1:
        return round(min(1.0, x + 0.3), 3), round(y, 3)
    return round(min(1.0, max(0.0, 1 - x)), 3), round(min(1.0, max(0.0, 1 - y)), 3)


def add_step(step: Step, alone: bool = False) -> None:
    """A step that was put together elsewhere on the page; with `alone`, in the place of all changes."""
    now = state.history().now
    state.make(Changes(steps=(step,)) if alone else replace(now, steps=(*now.steps, step)))
