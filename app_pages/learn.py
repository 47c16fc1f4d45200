"""Learn: how do I understand this, or teach it?"""

from vlmlens import ui
from vlmlens.ui import learn

ui.page("Learn", "How do I understand this, or teach it?")
learn.show()
