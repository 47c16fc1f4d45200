"""The Information page: views on bits, one file each, found in `VIEWS`."""

from vlmlens.ui.information import gates, probe, published, this_input, trust, wirings
from vlmlens.ui.request import asked
from vlmlens.ui.views import View, named
from vlmlens.ui.views import show as show_views

VIEWS = named(
    (
        View("Probe set", "How many bits do the model's own states hold about its answers?", probe.draw),
        View("This input", "What do this picture and this question do to the answer?", this_input.draw),
        View("Wirings", "Does the wiring decide who is listened to?", wirings.draw),
        View("Gates", "What do unique, redundant and synergistic mean?", gates.draw),
        View("Trust", "Can I trust this number?", trust.draw),
        View("As published", "What would a published protocol say, and does it survive its controls?", published.draw),
    )
)


def show() -> None:
    """The chosen view under its question."""
    asked()  # what the pages share: the model, the picture, the question
    show_views(VIEWS, "information")
