"""Fusion: how much does the wiring decide?"""

from vlmlens import ui
from vlmlens.ui import fusion

ui.page("Fusion", "How are picture and words joined, and how much does the wiring decide?")
fusion.show()
