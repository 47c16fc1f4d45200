"""How are so many tokens shared out among patches, by their relevance and within bounds?

allocate(relevance, total=324, low=1, high=64)          # int [patch], sums to the total
best(relevance, count=200, total=14_400, low=64, high=400)   # the 200 best share it, the others get none
"""

import numpy as np

from vlmlens.errors import UserError


def allocate(relevance: np.ndarray, total: int, low: int, high: int) -> np.ndarray:
    """Tokens of every patch, int64 [patch].

    In two steps. Water-filling: x = min(high, low + level * relevance), the level such that x sums to the total; where
    all that have any relevance are full, the rest goes evenly to those that have none. Largest remainders: x is rounded
    down and the tokens left go to the largest fractions, among equal ones to the more relevant, then to the earlier
    patch. So for every input: the sum is the total, `low` <= tokens <= `high`, the more relevant patch never has fewer,
    patches of equal relevance differ by one at most, and the same input gives the same.

    Args:
        relevance: [patch], finite and not negative, on any scale; all zero is all alike.
        total: tokens in all, from patches x low to patches x high.
        low, high: tokens of a patch, 0 <= low <= high.

    Raises:
        UserError: there are no patches, a relevance is negative or no number, or the bounds do not allow the total.
    """
    relevance = np.asarray(relevance, float).ravel()
    total, low, high = _whole(total, "total"), _whole(low, "minimum"), _whole(high, "maximum")
    _check(relevance, total, low, high)
    ideal = low + _filled(
        relevance / max(float(relevance.max()), np.finfo(float).tiny), total - low * len(relevance), high - low
    )
    tokens = np.clip(np.floor(ideal + 1e-9), low, high).astype(np.int64)
    order = np.lexsort((np.arange(len(relevance)), -relevance, -(ideal - tokens)))
    left = total - int(tokens.sum())
    while left > 0:  # once round, but for rounding errors of huge budgets
        for patch in order:
            if left and tokens[patch] < high:
                tokens[patch] += 1
                left -= 1
    while left < 0:
        for patch in order[::-1]:
            if left and tokens[patch] > low:
                tokens[patch] -= 1
                left += 1
    return tokens


def best(relevance: np.ndarray, count: int, total: int, low: int, high: int) -> np.ndarray:
    """Tokens of every patch, int64 [patch]: the `count` most relevant share the total, the others have none.

    Of equally relevant patches the earlier ones are taken. Raises UserError as `allocate` does, and where there are
    fewer patches than `count`.
    """
    relevance = np.asarray(relevance, float).ravel()
    count = _whole(count, "number of patches")
    if not 1 <= count <= len(relevance):
        raise UserError(
            f"{count} patches cannot be chosen from {len(relevance)}. Choose 1 to {len(relevance)}, or take a model "
            "that cuts the picture into more patches."
        )
    if not np.isfinite(relevance).all():
        raise UserError("A patch's relevance is no number, so the best patches are not known.")
    chosen = np.sort(np.argsort(-relevance, kind="stable")[:count])
    tokens = np.zeros(len(relevance), np.int64)
    tokens[chosen] = allocate(relevance[chosen], total, low, high)
    return tokens


def _filled(relevance: np.ndarray, free: int, room: int) -> np.ndarray:
    """min(room, level * relevance) [patch] for the level at which it sums to `free`; relevance 0 to 1, or all 0."""
    many = len(relevance)
    order = np.argsort(-relevance, kind="stable")
    ranked = relevance[order]
    behind = np.cumsum(ranked[::-1])[::-1]  # what a patch and all less relevant ones have together
    share = np.zeros(many)
    for full in range(many):  # so many patches are full
        rest = free - full * room
        if behind[full] <= 0:  # nobody left has any relevance
            share[full:] = rest / (many - full)
            break
        own = rest * (ranked[full:] / behind[full])
        if own[0] <= room:
            share[full:] = own
            break
        share[full] = room
    found = np.empty(many)
    found[order] = np.minimum(share, room)
    return found


def _whole(value: int, name: str) -> int:
    if int(value) != value:
        raise UserError(f"The {name} must be a whole number of tokens or patches, got {value}.")
    return int(value)


def _check(relevance: np.ndarray, total: int, low: int, high: int) -> None:
    many = len(relevance)
    if not many:
        raise UserError("There is no patch to give tokens to.")
    if not np.isfinite(relevance).all() or (relevance < 0).any():
        raise UserError("A patch's relevance is negative or no number; relevance is a finite number from 0 on.")
    if not 0 <= low <= high:
        raise UserError(
            f"A minimum of {low} and a maximum of {high} tokens a patch leave no choice: 0 <= minimum <= maximum."
        )
    if not many * low <= total <= many * high:
        patches = "1 patch" if many == 1 else f"{many} patches"
        raise UserError(
            f"{total:,} tokens do not fit {patches} of {low} to {high} tokens: choose a total from {many * low:,} to "
            f"{many * high:,}, or other bounds."
        )
