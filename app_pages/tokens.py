"""Tokens: what does a visual token cost, and what does it buy?"""

from vlmlens import ui
from vlmlens.ui import tokens

ui.page("Tokens", "What does a visual token cost, and what does it buy?")
tokens.show()
