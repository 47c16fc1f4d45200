"""Diagnostics: is the model using vision at all?"""

from vlmlens import ui
from vlmlens.ui import diagnostics

ui.page("Diagnostics", "Is the model using the picture at all, and if not, why?")
diagnostics.show()
