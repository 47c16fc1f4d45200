"""Diagnostics' arrangement: what is asked on the left; the diagnosis, the card and the items on the right."""

from collections.abc import Callable, Iterator

import streamlit as st

from vlmlens.diagnostics import TESTS, ProbeSet
from vlmlens.progress import Progress
from vlmlens.ui.diagnostics import card, items, save, versus
from vlmlens.ui.diagnostics.choose import choose
from vlmlens.ui.diagnostics.wanted import FIRST_LOOK, Asked, current, in_words, ran, remember, restore
from vlmlens.ui.diagnostics.work import Found, fill, key, probe_set
from vlmlens.ui.jobs import live
from vlmlens.ui.look import guard
from vlmlens.ui.models import model
from vlmlens.ui.request import asked


def show() -> None:
    request = asked()
    restore(request)
    left, right = st.columns([1, 3.4], gap="large")
    with left, guard():
        choose(request)
    shown = ran(request)
    with right, guard():
        if shown is None:
            _unrun(request.model)
            return
        if "diag-ran" in st.session_state:
            remember(shown)
        _notices(shown, current(request))
        first = _card(shown, shown.model)
        if first is None or not first.card.rows:
            return
        items.draw(first)
        if shown.second and first.card.diagnosis is not None:
            _beside(first, shown)
        save.draw(first, shown)


def _card(shown: Asked, name: str) -> Found | None:
    """The card of one model as it fills. Returns it once it has ended."""
    probe, ended = probe_set(shown.probe, shown.seed), []

    def draw(found: Found, last: bool) -> None:
        card.draw(found, probe, shown.tests, last)
        if last:
            ended.append(found)

    live(_key(shown, name), f"Running the card on {name}", _task(shown, name, probe), draw)
    return ended[0] if ended else None


def _beside(first: Found, shown: Asked) -> None:
    """The second model's card, told as differences."""
    probe = probe_set(shown.probe, shown.seed)
    with st.container(border=True):

        def draw(found: Found, last: bool) -> None:
            versus.draw(first.card, found.card)
            st.caption(f"All of {found.card.model}: choose it on the left as the model.")

        name = shown.second
        live(_key(shown, name), f"Running the card on {name}", _task(shown, name, probe), draw)


def _key(shown: Asked, name: str) -> tuple[object, ...]:
    return "card", name, key(shown.probe, shown.seed), shown.tests


def _task(shown: Asked, name: str, probe: ProbeSet) -> Callable[[Progress], Iterator[Found]]:
    vlm = model(name)

    def work(progress: Progress) -> Iterator[Found]:
        return fill(vlm, probe, shown, progress)

    return work


def _notices(shown: Asked, wanted: Asked) -> None:
    """What the card below is about, where that is not what stands on the left."""
    if shown.probe == FIRST_LOOK and shown != wanted:
        st.info(
            f"A first look at {shown.model}: {shown.probe.scenes} scenes x {shown.probe.questions} questions. With so "
            "few items a test may say INCONCLUSIVE; **Run the card** asks what stands on the left."
        )
    elif shown != wanted:
        st.info(f"Shown: {in_words(shown)}. What stands on the left has not been run.")


def _unrun(name: str) -> None:
    """Before the first run: what will be asked."""
    st.info(
        f"{name} takes a while, so nothing has been run yet: see on the left what each test needs, then run the card."
    )
    st.html(card.STYLE)
    for test in TESTS:
        card.waiting(test)
