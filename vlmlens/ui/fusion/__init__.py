"""The Fusion page: views on how picture and words are joined, one file each, found in `VIEWS`."""

from vlmlens.ui.fusion import gallery, masks, positions, qformer, rulers, train
from vlmlens.ui.request import asked
from vlmlens.ui.views import View, named
from vlmlens.ui.views import show as show_views

VIEWS = named(
    (
        View("Gallery", "Which ways are there to join picture and words, and what does each do?", gallery.draw),
        View(
            "Rulers",
            "How much of an answer is the picture's, by every ruler, and which of them to believe?",
            rulers.draw,
        ),
        View("Positions", "How is a place told to attention, and what does that decide?", positions.draw),
        View("Masks", "Who may look at whom?", masks.draw),
        View("Q-Former", "What do learned queries look at, and what does aligning them first buy?", qformer.draw),
        View("Train", "What does a wiring learn, how soon, and does it look?", train.draw),
    )
)


def show() -> None:
    """The chosen view under its question."""
    asked()  # what the pages share: the model, the picture, the question
    show_views(VIEWS, "fusion")
