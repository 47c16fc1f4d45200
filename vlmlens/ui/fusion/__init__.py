"""The Fusion page: views on how picture and words are joined, one file each, found in `VIEWS`."""

from vlmlens.ui.fusion import ablation, beside, gallery, masks, pitfalls, positions, qformer, rulers, train
from vlmlens.ui.request import asked
from vlmlens.ui.views import View, named
from vlmlens.ui.views import show as show_views

VIEWS = named(
    (
        View("Gallery", "Which ways are there to join picture and words, and what does each do?", gallery.draw),
        View("Side by side", "What do two wirings do with the same picture and question?", beside.draw),
        View("Ablation", "Where do wirings differ, and is the published ablation confirmed?", ablation.draw),
        View(
            "Rulers",
            "How much of an answer is the picture's, by every ruler, and which of them to believe?",
            rulers.draw,
        ),
        View("Positions", "How is a place told to attention, and what does that decide?", positions.draw),
        View("Masks", "Who may look at whom?", masks.draw),
        View("Q-Former", "What do learned queries look at, and what does aligning them first buy?", qformer.draw),
        View("Train", "What does a wiring learn, how soon, and does it look?", train.draw),
        View("Pitfalls", "What has gone wrong in this model, and what helps?", pitfalls.draw),
    )
)


def show() -> None:
    """The chosen view under its question."""
    asked()  # what the pages share: the model, the picture, the question
    show_views(VIEWS, "fusion")
