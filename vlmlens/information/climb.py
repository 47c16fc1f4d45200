"""How the optimum of a table is climbed to, compiled: log-momentum multiplicative scaling.

Where it stands is R(x1, x2) and V(x2, y), see `solver`; U(x1, y) follows from both. Every point gives a lower and an
upper bound of the optimum, the least -H_Q(Y | X1, X2) in nats.
"""

import numpy as np

from vlmlens.information.arithmetic import exp, log
from vlmlens.information.compiling import compiled, inlined, kept_on_disk

RAREST = 1e-200  # what is rarer never occurs, so that no logarithm is out of range
LOWEST = -40.0  # of log R
TINY = float(np.exp(LOWEST))
STEP = 1.2  # times log M, with momentum; 1 takes a tenth longer, from 1.5 on it circles
MOMENTUM_LIMIT = 5.0
PATIENCE = 200  # iterations in which the gap must halve, else the step changes
PLAIN_POWER = 1.8  # of the step without momentum; below 2 it converged on every table tried


@kept_on_disk
def measure(tables: np.ndarray, p1: np.ndarray, p2: np.ndarray, known: np.ndarray) -> bool:
    """What the climb and the decomposition need of tables [b, x1, x2, y] of any scale; whether all are tables.

    Args:
        p1, p2: become P(x1, y) [b, x1, y] and P(x2, y) [b, x2, y].
        known: becomes I(X1; Y), I(X2; Y), I(X1, X2; Y) and H(Y), nats [b, 4].
    """
    rows, columns, labels = tables.shape[1:]
    pairs = rows * columns * labels  # where in `p` what begins, after the cells of the table
    ones = pairs + rows * columns
    twos = ones + rows
    outcomes = twos + columns
    firsts = outcomes + labels
    seconds = firsts + rows * labels
    p = np.empty(seconds + columns * labels)  # of all that is counted; one long loop for their logarithms
    for b in range(len(tables)):
        total, sound = 0.0, True
        for cell in tables[b].reshape(pairs):
            total += cell
            sound &= 0 <= cell < np.inf
        if not (sound and total > 0):
            return False
        p[pairs:] = 0.0
        cell = 0
        for i in range(rows):
            for j in range(columns):
                for y in range(labels):
                    x = tables[b, i, j, y] / total
                    x = x if x > RAREST else 0.0
                    p[cell] = x
                    p[pairs + i * columns + j] += x
                    p[firsts + i * labels + y] += x
                    p[seconds + j * labels + y] += x
                    cell += 1
        for i in range(rows):
            for y in range(labels):
                p1[b, i, y] = x = p[firsts + i * labels + y]
                p[ones + i] += x
                p[outcomes + y] += x
        for j in range(columns):
            for y in range(labels):
                p2[b, j, y] = x = p[seconds + j * labels + y]
                p[twos + j] += x
        for k in range(len(p)):
            p[k] *= log(p[k])
        entropy = -_sum(p, outcomes, firsts)
        known[b, 0] = entropy + _sum(p, firsts, seconds) - _sum(p, ones, twos)
        known[b, 1] = entropy + _sum(p, seconds, len(p)) - _sum(p, twos, outcomes)
        known[b, 2] = entropy + _sum(p, 0, pairs) - _sum(p, pairs, ones)
        known[b, 3] = entropy
    return True


@compiled
def _sum(x: np.ndarray, start: int, stop: int) -> float:
    total = 0.0
    for k in range(start, stop):
        total += x[k]
    return total


@kept_on_disk
def start(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, v: np.ndarray, found: np.ndarray) -> None:
    """Where to start: R as if the sources were independent given the outcome, V even. Arguments as of `climb`."""
    for b in range(len(p1)):
        found[b, 0], found[b, 1] = -np.inf, np.inf
        _fill(r[b], 0.0)
        _fill(v[b], 1.0)
        for y in range(p1.shape[2]):
            outcome = 0.0
            for i in range(p1.shape[1]):
                outcome += p1[b, i, y]
            for i in range(p1.shape[1]):
                if p1[b, i, y] > 0:
                    share = p1[b, i, y] / outcome
                    for j in range(p2.shape[1]):
                        r[b, i, j] += share * p2[b, j, y]


@kept_on_disk
def climb(
    p1: np.ndarray,
    p2: np.ndarray,
    r: np.ndarray,
    v: np.ndarray,
    found: np.ndarray,
    spent: np.ndarray,
    tol: float,
    most: int,
) -> None:
    """Climb with each table until its bounds are `tol` nats apart, or for `most` iterations.

    Args:
        p1, p2: P(x1, y) [b, x1, y] and P(x2, y) [b, x2, y]; rows may be empty.
        r, v: R [b, x1, x2] and V [b, x2, y], where to start; become the point of the least upper bound.
        found: the bounds that were found so far, lower and upper [b, 2]; become the best. With `most` 0 those of R, V.
        spent: becomes the iterations that it took [b].
    """
    for b in range(len(p1)):
        spent[b] = _climb(p1[b], p2[b], r[b], v[b], found[b], tol, most)


@inlined
def _climb(
    p1: np.ndarray, p2: np.ndarray, best_r: np.ndarray, best_v: np.ndarray, found: np.ndarray, tol: float, most: int
) -> int:
    u, v, r, m = np.empty(p1.shape), np.empty(p2.shape), np.empty(best_r.shape), np.empty(best_r.shape)
    flat_r, flat_m = r.reshape(r.size), m.reshape(m.size)  # where rows do not matter, one long loop is the fastest
    log_r, before = np.empty(r.size), np.empty(r.size)
    _copy(best_v, v)
    _copy(best_r, r)
    _log_into(flat_r, log_r)
    _log_into(flat_r, before)
    age, plain = 0.0, False
    halve, since = np.inf, 0  # the gap that has to be halved, and since when
    looks = 1
    for iteration in range(most + 1):
        _normalise(log_r, flat_r)
        if iteration == looks**2 or iteration == most:  # ever rarer: a look costs about four iterations
            looks += 1
            low, high = _bounds(p1, p2, r, v)
            if low > found[0]:
                found[0] = low
            if high < found[1]:
                found[1] = high
                _copy(r, best_r)
                _copy(v, best_v)
            gap = found[1] - found[0]
            if gap <= tol:
                return iteration
            # Momentum can circle around the solution: change to plain steps where the gap has not halved, and back.
            if gap <= halve / 2:
                halve, since = gap, iteration
            elif iteration - since >= PATIENCE:
                halve, since, plain, age = gap, iteration, not plain, 0.0
        _scale(p1, p2, r, u, v)
        _product(u, v.T, m)
        age = _step(flat_r, flat_m, log_r, before, age, plain)
    return most


@compiled
def _normalise(log_r: np.ndarray, r: np.ndarray) -> None:
    total = 0.0
    for k in range(len(r)):
        r[k] = exp(log_r[k])
        total += r[k]
    shift, scale = log(total), 1 / total
    for k in range(len(r)):
        r[k] *= scale
        log_r[k] -= shift


@compiled
def _step(r: np.ndarray, m: np.ndarray, log_r: np.ndarray, before: np.ndarray, age: float, plain: bool) -> float:
    """Move log R by log M, and by what momentum adds; returns the age of the momentum."""
    ahead = 0.0
    for k in range(len(m)):
        m[k] = log(max(m[k], TINY))  # the slope: 0 where R is right
        ahead += r[k] * m[k] * (log_r[k] + STEP * m[k] - before[k])
    if ahead < 0:
        age = 0.0
    momentum = age / (age + 3)
    for k in range(len(m)):
        now = log_r[k] + STEP * m[k]
        push = min(max(momentum * (now - before[k]), -MOMENTUM_LIMIT), MOMENTUM_LIMIT)
        log_r[k] = max(log_r[k] + PLAIN_POWER * m[k] if plain else now + push, LOWEST)
        before[k] = now
    return age + 1


@compiled
def _bounds(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    """The lower and the upper bound that R and V prove; infinite where they are no numbers."""
    u, new, mass1, mass2 = np.empty(p1.shape), np.empty(p2.shape), np.empty(p1.shape), np.empty(p2.shape)
    m, excess = np.empty(r.shape), np.empty(r.shape)
    flat_r, flat_m, flat_excess = r.reshape(r.size), m.reshape(r.size), excess.reshape(r.size)
    _copy(v, new)
    _scale(p1, p2, r, u, new)

    # Dual: <p1, log U> + <p2, log V>, less what makes sum_y U V <= 1 hold everywhere: a(x1) + b(x2) >= log of that sum.
    _product(u, new.T, m)
    _log_into(flat_m, flat_excess)
    low = _mean_log(p1, u) + _mean_log(p2, new) - _price(p1, p2, excess)

    # Primal: U, then V, scaled down until no marginal is too large; what is then missing can only lower the value.
    _product(r, new, mass1)
    _shrink(p1, mass1, u)
    _product(r.T, u, mass2)
    _shrink(p2, mass2, new)
    _product(r, new, mass1)
    high = 0.0
    for i in range(p1.shape[0]):
        for y in range(p1.shape[1]):
            high += mass1[i, y] * u[i, y] * log(u[i, y])
    for j in range(p2.shape[0]):
        for y in range(p2.shape[1]):
            high += mass2[j, y] * new[j, y] * log(new[j, y])
    _product(u, new.T, m)
    for k in range(len(flat_m)):
        high -= flat_r[k] * flat_m[k] * log(flat_m[k])
    return (low, high) if np.isfinite(low + high) else (-np.inf, np.inf)


@compiled
def _price(p1: np.ndarray, p2: np.ndarray, excess: np.ndarray) -> float:
    """The cheaper of two: all that a row exceeds by on a, what is left of a column on b; and the other way round."""
    rows, columns = excess.shape
    row, left = np.zeros(rows), np.full(columns, -np.inf)
    column, rest = np.full(columns, -np.inf), np.full(rows, -np.inf)
    by_row = by_column = 0.0
    for i in range(rows):
        for y in range(p1.shape[1]):
            row[i] += p1[i, y]
    for i in range(rows):
        if row[i] > 0:
            top = -np.inf
            for j in range(columns):
                top = max(top, excess[i, j])
            by_row += row[i] * top
            for j in range(columns):
                left[j] = max(left[j], excess[i, j] - top)
                column[j] = max(column[j], excess[i, j])
    for j in range(columns):
        weight = 0.0
        for y in range(p2.shape[1]):
            weight += p2[j, y]
        if weight > 0:
            by_row += weight * left[j]
            by_column += weight * column[j]
            for i in range(rows):
                rest[i] = max(rest[i], excess[i, j] - column[j])
    for i in range(rows):
        if row[i] > 0:
            by_column += row[i] * rest[i]
    return min(by_row, by_column)


@compiled
def _scale(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, u: np.ndarray, v: np.ndarray) -> None:
    """U and V that give R U V its pair marginals: V's now, U's before V changed."""
    _product(r, v, u)
    _divide(p1, u)
    _product(r.T, u, v)
    _divide(p2, v)


@compiled
def _product(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    if out.size * a.shape[1] > 200:  # below, BLAS takes longer to call
        np.dot(a, b, out)
        return
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            total = 0.0
            for j in range(a.shape[1]):
                total += a[i, j] * b[j, k]
            out[i, k] = total


@compiled
def _divide(above: np.ndarray, below: np.ndarray) -> None:
    for i in range(above.shape[0]):
        for k in range(above.shape[1]):
            below[i, k] = above[i, k] / below[i, k] if above[i, k] > 0 else 0.0


@compiled
def _shrink(p: np.ndarray, mass: np.ndarray, factor: np.ndarray) -> None:
    for i in range(p.shape[0]):
        for k in range(p.shape[1]):
            factor[i, k] = min(factor[i, k], p[i, k] / mass[i, k]) if p[i, k] > 0 else 0.0


@compiled
def _mean_log(weight: np.ndarray, x: np.ndarray) -> float:
    total = 0.0
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            total += weight[i, k] * log(x[i, k])
    return total


@compiled
def _log_into(x: np.ndarray, out: np.ndarray) -> None:
    for k in range(len(x)):
        out[k] = log(x[k] + TINY)


@compiled
def _copy(x: np.ndarray, out: np.ndarray) -> None:
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            out[i, k] = x[i, k]


@compiled
def _fill(x: np.ndarray, value: float) -> None:
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            x[i, k] = value
