"""What traces say: budgets, sinks, and whether a map's hottest region mattered."""

from vlmlens.attention.budget import Budget, budget
from vlmlens.attention.causal import CausalCheck, causal_check, hottest_window
from vlmlens.attention.contributions import Contributions, contributions
from vlmlens.attention.sinks import sinks

__all__ = [
    "Budget", "CausalCheck", "Contributions", "budget", "causal_check", "contributions", "hottest_window", "sinks",
]  # fmt: skip
