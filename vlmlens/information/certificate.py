"""Bounds of the optimum from any point on the way to it; works on numpy arrays and torch tensors alike, [b, ...].

The optimum is the least -H_Q(Y | X1, X2), in nats, over all Q with the pair marginals P1 and P2. A point is R(x1, x2)
and V(x2, y); see `solver`.
"""

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = Any  # numpy.ndarray or torch.Tensor, float64

LOWEST = -40.0  # of log R, and of every logarithm here


def bounds(xp: Any, p1: Array, p2: Array, r: Array, v: Array) -> tuple[Array, Array]:
    """A lower and an upper bound, [b] each, whatever the point.

    Args:
        xp: numpy or torch, as the arrays are.
        p1, p2: P(x1, y) [b, x1, y] and P(x2, y) [b, x2, y]; rows may be empty.
        r, v: R [b, x1, x2] and V [b, x2, y], not negative.
    """
    u, v = scaled(xp, p1, p2, r, v)
    turned = xp.swapaxes(r, 1, 2)

    # Dual: <p1, log U> + <p2, log V>, less what makes sum_y U V <= 1 hold everywhere: a(x1) + b(x2) >= log of that sum.
    m = u @ xp.swapaxes(v, 1, 2)
    row, column = p1.sum(2), p2.sum(2)
    excess = xp.where((row[:, :, None] > 0) & (column[:, None, :] > 0) & (m > 0), log(xp, m), -np.inf)
    a1 = _finite(xp, xp.amax(excess, 2))
    b1 = _finite(xp, xp.amax(excess - a1[:, :, None], 1))
    b2 = _finite(xp, xp.amax(excess, 1))
    a2 = _finite(xp, xp.amax(excess - b2[:, None, :], 2))
    price = xp.minimum((row * a1).sum(1) + (column * b1).sum(1), (row * a2).sum(1) + (column * b2).sum(1))
    low = (p1 * log(xp, u)).sum((1, 2)) + (p2 * log(xp, v)).sum((1, 2)) - price

    # Primal: U, then V, scaled down until no marginal is too large; what is then missing can only lower the value.
    u = u * xp.clip(_ratio(xp, p1, u * (r @ v)), None, 1.0)
    v = v * xp.clip(_ratio(xp, p2, v * (turned @ u)), None, 1.0)
    m = u @ xp.swapaxes(v, 1, 2)
    high = (u * (r @ v) * log(xp, u)).sum((1, 2)) + (v * (turned @ u) * log(xp, v)).sum((1, 2))
    return low, high - (r * m * log(xp, m)).sum((1, 2))


def scaled(xp: Any, p1: Array, p2: Array, r: Array, v: Array) -> tuple[Array, Array]:
    """U and V that give R U V its pair marginals: V's now, U's before V changed."""
    u = _ratio(xp, p1, r @ v)
    return u, _ratio(xp, p2, xp.swapaxes(r, 1, 2) @ u)


def log(xp: Any, values: Array) -> Array:
    """Never below `LOWEST`, so that 0 log 0 is 0."""
    return xp.log(xp.clip(values, np.exp(LOWEST), None))


def _ratio(xp: Any, above: Array, below: Array) -> Array:
    """0 where both are 0."""
    return above / xp.where(below > 0, below, 1.0 + 0.0 * below)


def _finite(xp: Any, values: Array) -> Array:
    return xp.where(xp.isfinite(values), values, 0.0 * xp.clip(values, 0.0, 0.0))
