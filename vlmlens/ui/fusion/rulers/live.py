"""Any loaded model by the same rulers, live: which one, over what, and the work."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import streamlit as st

from vlmlens.models import VLM, ours
from vlmlens.progress import Progress
from vlmlens.rulers import RULERS, Ensemble, Measured, lab_ensemble, own_ensemble, reading
from vlmlens.rulers.ensemble import VARIANTS_ITEMS
from vlmlens.ui import results
from vlmlens.ui.ask import pick_input
from vlmlens.ui.fusion.rulers import words
from vlmlens.ui.jobs import live
from vlmlens.ui.look import explain, guard
from vlmlens.ui.models import pick_model
from vlmlens.ui.request import Request, asked, remember

PROBE, OWN = "lab probe", "my picture"
SMALL = 12  # items for models that take long; and no thousands of samples


@dataclass(frozen=True)
class Here:
    """What is to be measured here."""

    request: Request
    over: str
    quick: bool

    def ensemble(self, vlm: VLM) -> Ensemble:
        if self.over == OWN:
            content = self.request.source.load()
            picture = content if vlm.info.lab else vlm.image(content)  # at the size that this model gets
            return own_ensemble(picture, self.request.question, SMALL if self.quick else VARIANTS_ITEMS)
        return lab_ensemble(scenes=SMALL, items=SMALL, samples=0) if self.quick else lab_ensemble()


def choose() -> Here | None:
    """The widgets; None where nothing is to be measured."""
    with st.container(horizontal=True, vertical_alignment="center"):
        on = st.toggle("Put a model on this chart", key="rulers-here", bind="query-params")
        explain(*words.YOURS)
    if not on:
        st.caption("Any model of the list, a run of yours or a Hugging Face model by name, by the same rulers, live.")
        return None
    over = str(
        st.segmented_control("Over", [PROBE, OWN], default=PROBE, key="rulers-over", required=True, bind="query-params")
    )
    request = asked()
    if over == OWN:
        pick_input(request)
    else:
        pick_model()
    remember(request)
    quick = st.toggle(
        "Fewer items",
        value=not ours(request.model),
        key=f"rulers-quick-{ours(request.model)}",
        help=f"{SMALL} items in place of 48, and no 2000 samples for representational PID: for large models.",
    )
    return Here(request, over, quick)


def measure(here: Here, draw: Callable[[Measured | None, bool], None]) -> Measured | None:
    """Draw what is found as it comes. Returns the latest, for the charts below."""
    latest: list[Measured] = []

    def show(found: Measured, ended: bool) -> None:
        latest.append(found)
        draw(found, ended)

    with guard():
        vlm = results.model(here.request.model)
        if here.over == OWN:
            results.notices(here.request, vlm)

        def work(progress: Progress) -> Iterator[Measured]:
            progress.step(0.0, "the ensemble")
            yield from reading(vlm, here.ensemble(vlm), tuple(RULERS), progress)

        source = here.request.source if here.over == OWN else None
        question = here.request.question if here.over == OWN else ""
        live(("rulers", vlm.name, source, question, here.over, here.quick), f"Measuring {vlm.name}", work, show)
    if not latest:
        draw(None, True)
    return latest[-1] if latest else None
