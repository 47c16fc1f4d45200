"""Information: how many bits do picture and words bring, alone and together?"""

from vlmlens import ui
from vlmlens.ui import information

ui.page("Information", "How many bits do picture and words bring about the answer, alone and together?")
information.show()
