"""What would have to change for the answer to change: two runs compared, doses, the smallest flip, kept runs."""

from vlmlens.counterfactual.answers import AnswerChange, Pair, compare_answers
from vlmlens.counterfactual.compare import BudgetChange, Difference, MapChange, compare
from vlmlens.counterfactual.dose import Dose, Flip, dose, swept
from vlmlens.counterfactual.effects import (
    EffectChange,
    Effects,
    PairedEffect,
    effects,
    effects_before_and_after,
    paired,
)
from vlmlens.counterfactual.runs import Run, Shares
from vlmlens.counterfactual.smallest import Smallest, blurred, mean_colour, smallest
from vlmlens.counterfactual.tray import RunChange, Tray, compare_runs

__all__ = [
    "AnswerChange",
    "BudgetChange",
    "Difference",
    "Dose",
    "EffectChange",
    "Effects",
    "Flip",
    "MapChange",
    "Pair",
    "PairedEffect",
    "Run",
    "RunChange",
    "Shares",
    "Smallest",
    "Tray",
    "blurred",
    "compare",
    "compare_answers",
    "compare_runs",
    "dose",
    "effects",
    "effects_before_and_after",
    "mean_colour",
    "paired",
    "smallest",
    "swept",
]
