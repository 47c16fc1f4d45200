"""Before and after: the two runs that everything on this page speaks of."""

from collections import OrderedDict
from dataclasses import dataclass

import streamlit as st
from PIL import Image

from vlmlens.attention.masking import noise_floor
from vlmlens.counterfactual.compare import Difference, compare
from vlmlens.errors import PictureError
from vlmlens.models import VLM, Picture, as_image
from vlmlens.progress import Progress
from vlmlens.trace import Trace
from vlmlens.ui import results
from vlmlens.ui.counterfactual.changes import Changes
from vlmlens.ui.counterfactual.donors import Donors
from vlmlens.ui.jobs import arrays_in, result
from vlmlens.ui.request import Request

MOST_TRACES = 12  # a session's last changes, so that undo asks nothing anew
MOST_BYTES = 1 << 28  # of arrays in them


@dataclass(frozen=True, eq=False)
class Runs:
    """One picture and question before and after the changes, and what a model made of both."""

    request: Request
    changes: Changes
    vlm: VLM
    before: Trace
    after: Trace
    image: Image.Image  # after the changes
    difference: Difference

    @property
    def clean(self) -> tuple[Picture, str]:
        return as_image(self.request.source.load()), self.request.question

    @property
    def changed(self) -> tuple[Picture, str]:
        return self.image, self.changes.question(self.request.question)

    @property
    def key(self) -> tuple[object, ...]:
        """Names these two runs by content."""
        return self.vlm.name, self.request.source, self.request.question, self.changes


def changed_picture(request: Request, changes: Changes) -> Image.Image:
    """The picture after the changes. Raises PictureError that names the step."""
    return changes.picture(request.source.load(), Donors())


def changed_picture_or_why(request: Request, changes: Changes) -> tuple[Image.Image, str]:
    """The same; or the picture without the changes, and in words why."""
    try:
        return changed_picture(request, changes), ""
    except PictureError as error:
        return as_image(request.source.load()), str(error)


def ask(request: Request, changes: Changes, image: Image.Image) -> Runs:
    """Both runs. Raises Pending while one is under way, and what the model cannot read, in words."""
    vlm = results.model(request.model)
    before = results.inspect(request)
    after = before if changes.none else _after(vlm, request, changes, image)
    return Runs(request, changes, vlm, before, after, image, compare(before, after))


def _after(vlm: VLM, request: Request, changes: Changes, image: Image.Image) -> Trace:
    kept: OrderedDict[object, Trace] = st.session_state.setdefault("counterfactual-traces", OrderedDict())
    key = (vlm.name, request.source, request.question, changes)
    if key not in kept:
        question = changes.question(request.question)

        def work(progress: Progress) -> Trace:
            return vlm.inspect(image, question, progress=progress)

        # Kept here and not with the jobs: a slider that is dragged would push out what others have waited for.
        label = f"Asking {vlm.name} about the changed picture"
        kept[key] = result(("changed", *key), label, work, keep=False, group="counterfactual")
    kept.move_to_end(key)
    while len(kept) > 1 and (len(kept) > MOST_TRACES or sum(map(arrays_in, kept.values())) > MOST_BYTES):
        kept.popitem(last=False)
    return kept[key]


def noise(runs: Runs) -> float:
    """By how much what nobody sees moves the probability of the answer before; raises Pending while it is measured."""
    vlm, (picture, question), answer = runs.vlm, runs.clean, runs.before.answers[0]

    def work(_progress: Progress) -> float:
        return noise_floor(vlm, picture, question, answer.candidate, answer.probability) * answer.probability

    return result(("noise", *runs.key[:3]), "Measuring what invisible changes do", work)
