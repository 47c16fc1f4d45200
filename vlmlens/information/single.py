"""One table: log-momentum multiplicative scaling in as few numpy calls as it takes, then Newton's method."""

import numpy as np

from vlmlens.information.certificate import LOWEST, bounds
from vlmlens.information.newton import finish

CHECK_EVERY = 25  # iterations between certificates
NEWTON_AFTER = 50  # iterations at least; else as many as its linear system has unknowns, and again after ten times that
MOMENTUM_LIMIT = 5.0
TINY = float(np.exp(LOWEST))


def solve_one(p1: np.ndarray, p2: np.ndarray, tol: float, most: int) -> tuple[float, float, int]:
    """Lower and upper bound of the least -H_Q(Y | X1, X2), nats, and the iterations spent.

    Args:
        p1, p2: P(x1, y) [x1, y] and P(x2, y) [x2, y].
        tol: the distance of the bounds at which to stop, nats.
        most: iterations.
    """
    seen = p1.any(axis=0)
    p1, p2 = p1[p1.any(axis=1)][:, seen], p2[p2.any(axis=1)][:, seen]  # without what never occurs nothing divides by 0
    first = -(-max(NEWTON_AFTER, p1.size + p2.size) // CHECK_EVERY) * CHECK_EVERY
    newton_at = {first, 10 * first}
    low, high = -np.inf, np.inf
    v = (p2 > 0).astype(float)
    log_r = np.log(p1 / p1.sum(axis=0) @ p2.T + TINY)  # [x1, x2]
    before, age = log_r, 0
    for iteration in range(1, most + 1):
        weight = np.exp(log_r)
        total = weight.sum()
        r, log_r = weight / total, log_r - np.log(total)
        u = p1 / (r @ v)
        v = p2 / (r.T @ u)
        slope = np.log(u @ v.T + TINY)  # [x1, x2], 0 where R is right
        now = log_r + slope
        push = now - before
        if np.vdot(r * slope, push) < 0:
            age = 0
        push *= age / (age + 3)
        log_r = now + np.minimum(np.maximum(push, -MOMENTUM_LIMIT), MOMENTUM_LIMIT)
        np.maximum(log_r, LOWEST, out=log_r)
        before, age = now, age + 1
        if iteration % CHECK_EVERY and iteration != most and iteration > 2:
            continue
        low, high = _tighter((low, high), _bounds(p1, p2, np.exp(log_r), v))
        if high - low > tol and iteration in newton_at:
            finished = finish(p1, p2, np.exp(log_r), v, tol)
            nearer = _tighter((low, high), _bounds(p1, p2, *finished))
            if nearer[1] - nearer[0] < high - low:
                (low, high), v, age = nearer, finished[1], 0
                log_r = before = np.log(finished[0] + TINY)
        if high - low <= tol:
            return low, high, iteration
    return low, high, most


def _bounds(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    low, high = bounds(np, p1[None], p2[None], r[None], v[None])
    return float(low[0]), float(high[0])


def _tighter(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    """What both bounds allow; a bound that is not a number says nothing."""
    low, high = np.fmax(one[0], other[0]), np.fmin(one[1], other[1])
    return float(min(low, high)), float(high)  # rounding can put them past each other
