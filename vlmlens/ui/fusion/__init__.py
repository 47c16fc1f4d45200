"""The Fusion page: views on how picture and words are joined, one file each, found in `VIEWS`."""

from vlmlens.ui.fusion import ablation, beside, gallery
from vlmlens.ui.request import asked
from vlmlens.ui.views import View, named
from vlmlens.ui.views import show as show_views

VIEWS = named(
    (
        View("Gallery", "Which ways are there to join picture and words, and what does each do?", gallery.draw),
        View("Side by side", "What do two wirings do with the same picture and question?", beside.draw),
        View("Ablation", "Where do wirings differ, and is the published ablation confirmed?", ablation.draw),
    )
)


def show() -> None:
    """The chosen view under its question."""
    asked()  # what the pages share: the model, the picture, the question
    show_views(VIEWS, "fusion")
