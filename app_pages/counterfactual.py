"""Counterfactual: what would change its mind?"""

from vlmlens import ui
from vlmlens.ui import counterfactual

ui.page("Counterfactual", "What would change its mind: which part of the picture, which word, and how much of it?")
counterfactual.show()
