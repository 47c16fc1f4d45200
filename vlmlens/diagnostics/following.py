"""Whether the answer follows the picture: the true one is given more often with its own picture than with others."""

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.statistics import interval, mean_draws


def follows(bench: Bench) -> bool | None:
    """Whether the true answer is given more often with its own picture than with the others; None if not known."""
    vocabulary = len(bench.probe.vocabulary)
    said, question = bench.clean.argmax(axis=1), bench.items[:, 1]
    table = np.zeros((len(bench.probe.questions), vocabulary))  # how often each answer is given to a question
    np.add.at(table, (question, said), 1)
    others = table.sum(axis=1)[question] - 1
    items = np.flatnonzero((bench.truth >= 0) & (others > 0))
    if not len(items):
        return None
    right = bench.right[items].astype(float)
    by_others = (table[question[items], bench.truth[items]] - right) / others[items]
    low, _ = interval(mean_draws(right - by_others, bench.items[items, 0], bench.weights))
    return low > 0
