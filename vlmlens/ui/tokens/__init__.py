"""The Tokens page: views on what a visual token costs and buys, one file each, found in `VIEWS`."""

from vlmlens.ui.request import asked
from vlmlens.ui.tokens import allocation, compression, cost, pruning
from vlmlens.ui.views import View, named
from vlmlens.ui.views import show as show_views

VIEWS = named(
    (
        View("Compression", "How few tokens can a picture be told in, and what is lost?", compression.draw),
        View("Cost", "What do these image tokens cost in a real model?", cost.draw),
        View("Pruning", "How many image tokens can a loaded model do without?", pruning.draw),
        View("Allocation", "Where should the detail go, given the question?", allocation.draw),
    )
)


def show() -> None:
    """The chosen view under its question."""
    asked()  # what the pages share: the model, the picture, the question
    show_views(VIEWS, "tokens")
