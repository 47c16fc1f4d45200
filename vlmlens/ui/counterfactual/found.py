"""The right part: what became of the answer, in a sentence with its doubt; the bars; the budget; the truth."""

import streamlit as st

from vlmlens.counterfactual.compare import BudgetChange, Difference
from vlmlens.ui import words as terms
from vlmlens.ui.counterfactual import bars, hints, state
from vlmlens.ui.counterfactual.asking import Runs, noise
from vlmlens.ui.counterfactual.words import DIFFERENCE
from vlmlens.ui.look import explain, guard, titled
from vlmlens.ui.results import LONG, escape

RULERS = {"contribution": "share of the update", "share": "share of attention"}


def show(runs: Runs) -> None:
    change = runs.difference.answers
    st.html(bars.STYLE + _headline(runs))
    sentence = st.container()  # its doubt may take longer than all the rest
    st.html(bars.answers(change) + _truth(runs))
    if runs.vlm.name.startswith(("lab:", "run:")) and runs.changes.words and hints.asked(runs.after.question) is None:
        st.caption("Lab models never saw a question of the wording after the changes; what they answer means little.")
    _budget(runs.difference)
    floor: float | None = None
    with guard():
        floor = None if runs.changes.none else noise(runs)
    with sentence:
        titled(_sentence(runs, floor), DIFFERENCE)


def _headline(runs: Runs) -> str:
    change = runs.difference.answers
    said = [trace.text or trace.answers[0].text for trace in (runs.before, runs.after)]
    size = "lens-answer long" if max(map(len, said)) > LONG else "lens-answer"
    if said[0] == said[1] and not change.flipped:
        note = "nothing is changed yet" if runs.changes.none else "stays"
        return f'<p class="{size}">{escape(said[0])}<small>{note}</small></p>'
    flip = "flipped" if change.flipped else "flipped after its first token"
    return f'<p class="{size}">{escape(said[0])} → {escape(said[1])}<small>{flip}</small></p>'


def _sentence(runs: Runs, floor: float | None) -> str:
    """What flipped and by how much; and how much of that nobody would have to explain."""
    if runs.changes.none:
        return "Change the picture, the scene or the words, and see at once what becomes of the answer and why."
    told = terms.markdown(runs.difference.sentence())
    if floor is None:
        return told
    own = runs.difference.answers.before
    pair = next(pair for pair in runs.difference.answers.pairs if pair.candidate == own.candidate)
    moved = abs(pair.after - pair.before)
    if moved != moved:
        return f"{told} What nobody can see moves “{terms.markdown(own.text)}” by up to {floor:.2g}."
    beyond = "beyond" if moved > floor else "**within**"
    return f"{told} The change of {moved:.2g} is {beyond} the noise floor of {floor:.2g}."


def _truth(runs: Runs) -> str:
    """On lab scenes: what would be right, before and after."""
    scene, after = runs.request.source.scene, state.scene_after(runs.request)
    if scene is None or after is None:
        return ""
    lines = []
    own = runs.request.question
    for name, board, question, trace in (
        ("before", scene, own, runs.before),
        ("after", after, hints.meant(runs.changes, own), runs.after),
    ):
        found = hints.asked(question)
        truth = None if found is None else found.answer(board)
        if truth is None:
            lines.append(f"{name}: the question has no true answer on this scene")
        else:
            right = truth == trace.answers[0].text
            lines.append(f"{name}: {truth}, the answer is {'right ✓' if right else 'wrong ✕'}")
    note = ""
    if runs.changes.steps:
        note = " (of the scene; what its pixels were put through is not counted)"
    return f'<p class="truth">True {"; ".join(lines)}{note}</p>'


def _budget(difference: Difference) -> None:
    written = difference.contributions
    found: dict[str, BudgetChange] = {"share": difference.attention}
    competes = (difference.attention.before == difference.attention.before).any()
    if written is not None:
        found = {"contribution": written, **found}
        if competes:
            found = {"share": difference.attention, "contribution": written}
    names = list(found)
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        ruler = st.segmented_control(
            "Where it comes from, layer by layer",
            names,
            default=names[0],
            key=f"change-ruler-{names[0]}",
            bind="query-params",
            required=True,
            label_visibility="collapsed",
        )
        explain(*terms.RULERS[str(ruler)])
    chosen = found[str(ruler)]
    if chosen.before.size and (chosen.before == chosen.before).any():
        st.html(bars.budget(chosen))
    else:
        st.info("n/a: picture and words never compete in one softmax here. Choose the contribution.")
