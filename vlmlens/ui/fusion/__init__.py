"""The Fusion page: views on how picture and words are joined, one file each, found in `VIEWS`."""

from vlmlens.ui.fusion import gallery, positions
from vlmlens.ui.request import asked
from vlmlens.ui.views import View, named
from vlmlens.ui.views import show as show_views

VIEWS = named(
    (
        View("Gallery", "Which ways are there to join picture and words, and what does each do?", gallery.draw),
        View("Positions", "How does attention know where things are, and how far does it reach?", positions.draw),
    )
)


def show() -> None:
    """The chosen view under its question."""
    asked()  # what the pages share: the model, the picture, the question
    show_views(VIEWS, "fusion")
