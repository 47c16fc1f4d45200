"""The climb of `climb` with eight tables at a time, each in its own place of every number of eight.

Numbers are kept as [cell, 8], a cell for each pair of x1 or x2 with y, or of x1 with x2, row after row. What happens in
one place does not depend on the others: a table ends the same whichever tables are solved beside it. Where one is
solved, the next takes its place.
"""

from typing import NamedTuple

import numpy as np

from vlmlens.information.arithmetic import LANES, Number, apart, at, exp, log, pick, put, wide
from vlmlens.information.climb import LOWEST, MOMENTUM_LIMIT, PATIENCE, PLAIN_POWER, STEP, TINY
from vlmlens.information.compiling import compiled, kept_on_disk

LOOK = 8  # iterations of a table between two looks at its bounds, which cost about one and a half
NEVER = 2**62


class Cells(NamedTuple):
    """How many of x1, x2 and y there are, and where in the array of all numbers what begins."""

    rows: int
    columns: int
    labels: int
    p1: int
    u: int
    p2: int
    v: int
    new: int  # V after one more scaling
    r: int
    m: int  # the log by which R is to move; 0 where it is right
    log_r: int
    before: int
    edges: int  # of what a pair costs: the most of each column, of its rest, and of each row
    age: int  # of the momentum
    plain: int  # 1 where there is none
    low: int
    high: int


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
    """As `vlmlens.information.climb.climb`."""
    rows, columns, labels = r.shape[1], r.shape[2], p1.shape[2]
    all_log_r = np.empty(r.size)
    for k, value in enumerate(r.reshape(r.size)):
        all_log_r[k] = log(value + TINY)
    c, w = _places(rows, columns, labels)
    halve, table, began, due, since = np.empty(LANES), _none(), _none(), _none(), _none()
    given = tick = 0
    while True:
        until = NEVER
        for lane in range(LANES):
            if table[lane] < 0 and given < len(p1):
                table[lane], began[lane], due[lane], since[lane], halve[lane] = (
                    given,
                    tick,
                    tick + min(LOOK, most),
                    0,
                    np.inf,
                )
                _put_one(w, c.p1, p1[given], lane)
                _put_one(w, c.p2, p2[given], lane)
                _put_one(w, c.v, v[given], lane)
                for k in range(rows * columns):
                    w[c.log_r + k, lane] = w[c.before + k, lane] = all_log_r[given * rows * columns + k]
                    w[c.r + k, lane] = r[given, k // columns, k % columns] + TINY
                w[c.age, lane] = w[c.plain, lane] = 0.0
                given += 1
            if table[lane] >= 0:
                until = min(until, due[lane])
        if until == NEVER:
            return
        for _ in range(until - tick):
            _scale(w, c, c.v)
            _step(w, c)
        tick = until
        _bounds(w, c)
        for lane in range(LANES):
            b, iteration = table[lane], tick - began[lane]
            if b < 0 or due[lane] > tick:
                continue
            low, high = w[c.low, lane], w[c.high, lane]
            if np.isfinite(low + high):
                found[b, 0] = max(found[b, 0], low)
                if high < found[b, 1]:
                    found[b, 1] = high
                    _take_one(w, c.r, r[b], lane)
                    _take_one(w, c.v, v[b], lane)
            gap = found[b, 1] - found[b, 0]
            if gap <= tol or iteration == most:
                spent[b] = iteration
                table[lane] = -1
            elif gap <= halve[lane] / 2:
                halve[lane], since[lane] = gap, iteration
            elif iteration - since[lane] >= PATIENCE:
                halve[lane], since[lane] = gap, iteration
                w[c.age, lane], w[c.plain, lane] = 0.0, 1 - w[c.plain, lane]
            due[lane] = tick + min(LOOK, most - iteration)


@compiled
def _places(rows: int, columns: int, labels: int) -> tuple[Cells, np.ndarray]:
    """All numbers [cell, 8] in one array: each more that a call is given takes as long to count as a logarithm."""
    first, second, both = rows * labels, columns * labels, rows * columns
    u = first
    p2 = u + first
    v = p2 + second
    new = v + second
    r = new + second
    m = r + both
    log_r = m + both
    before = log_r + both
    edges = before + both
    age = edges + 2 * (rows + columns)
    w = np.empty((age + 4, LANES))
    for k in range(len(w)):
        put(w, k, wide(1.0))  # what a place without a table may hold
    return Cells(rows, columns, labels, 0, u, p2, v, new, r, m, log_r, before, edges, age, age + 1, age + 2, age + 3), w


@compiled
def _none() -> np.ndarray:
    out = np.empty(LANES, np.int64)
    for lane in range(LANES):
        out[lane] = -1
    return out


@compiled
def _put_one(w: np.ndarray, place: int, x: np.ndarray, lane: int) -> None:
    for i in range(x.shape[0]):
        for k in range(x.shape[1]):
            w[place + i * x.shape[1] + k, lane] = x[i, k]


@compiled
def _take_one(w: np.ndarray, place: int, out: np.ndarray, lane: int) -> None:
    for i in range(out.shape[0]):
        for k in range(out.shape[1]):
            out[i, k] = w[place + i * out.shape[1] + k, lane]


@compiled
def _step(w: np.ndarray, c: Cells) -> None:
    """Move log R by log M, and by what momentum adds. R is left unscaled: a factor is taken back by U."""
    apart()
    _log_sums(w, c, c.v)
    ahead = wide(0.0)
    for k in range(c.rows * c.columns):
        ahead += at(w, c.r + k) * at(w, c.m + k) * (at(w, c.log_r + k) + STEP * at(w, c.m + k) - at(w, c.before + k))
    age, plain = pick(0.0, ahead, 0.0, at(w, c.age)), at(w, c.plain)
    put(w, c.age, age + 1.0)
    share = age / (age + 3.0)
    for k in range(c.rows * c.columns):
        now = at(w, c.log_r + k) + STEP * at(w, c.m + k)
        push = _lower(_higher(share * (now - at(w, c.before + k)), -MOMENTUM_LIMIT), MOMENTUM_LIMIT)
        new = _higher(pick(plain, 0.5, at(w, c.log_r + k) + PLAIN_POWER * at(w, c.m + k), now + push), LOWEST)
        put(w, c.before + k, now)
        put(w, c.log_r + k, new)
        put(w, c.r + k, exp(new))


@compiled
def _bounds(w: np.ndarray, c: Cells) -> None:
    """What R and V prove into `low` and `high`, as in `climb`; U, M and the new V are overwritten."""
    apart()
    rows, columns, labels = c.rows, c.columns, c.labels
    for k in range(columns * labels):
        put(w, c.new + k, at(w, c.v + k))
    _scale(w, c, c.new)
    _log_sums(w, c, c.new)
    low = wide(0.0) - _price(w, c)
    for k in range(rows * labels):
        low += at(w, c.p1 + k) * log(at(w, c.u + k))
    for k in range(columns * labels):
        low += at(w, c.p2 + k) * log(at(w, c.new + k))
    put(w, c.low, low)

    high = wide(0.0)
    for i in range(rows):
        for y in range(labels):
            k = i * labels + y
            put(w, c.u + k, _shrunk(at(w, c.p1 + k), _over_columns(w, c, c.new, i, y), at(w, c.u + k)))
    for j in range(columns):
        for y in range(labels):
            k = j * labels + y
            mass = _over_rows(w, c, j, y)
            factor = _shrunk(at(w, c.p2 + k), mass, at(w, c.new + k))
            high += mass * factor * log(factor)
            put(w, c.new + k, factor)
    for i in range(rows):
        for y in range(labels):
            factor = at(w, c.u + i * labels + y)
            high += _over_columns(w, c, c.new, i, y) * factor * log(factor)
    for i in range(rows):
        for j in range(columns):
            mass = _over_labels(w, c, c.new, i, j)
            high -= at(w, c.r + i * columns + j) * mass * log(mass)
    put(w, c.high, high)


@compiled
def _shrunk(p: Number, mass: Number, factor: Number) -> Number:
    return pick(p, 0.0, _lower(factor, p / mass), 0.0)


@compiled
def _price(w: np.ndarray, c: Cells) -> Number:
    rows, columns, labels = c.rows, c.columns, c.labels
    column, rest, row = columns, 2 * columns, 2 * columns + rows  # in `edges`; before them what is left of a column
    for k in range(row):
        put(w, c.edges + k, wide(-np.inf))
    by_row, by_column = wide(0.0), wide(0.0)
    for i in range(rows):
        weight, top = wide(0.0), wide(-np.inf)
        for y in range(labels):
            weight += at(w, c.p1 + i * labels + y)
        for j in range(columns):
            top = _higher(top, at(w, c.m + i * columns + j))
        for j in range(columns):
            over = pick(weight, 0.0, at(w, c.m + i * columns + j), -np.inf)
            put(w, c.edges + j, _higher(at(w, c.edges + j), over - top))
            put(w, c.edges + column + j, _higher(at(w, c.edges + column + j), over))
        by_row += weight * top
        put(w, c.edges + row + i, weight)
    for j in range(columns):
        weight, top = wide(0.0), at(w, c.edges + column + j)
        for y in range(labels):
            weight += at(w, c.p2 + j * labels + y)
        for i in range(rows):
            over = pick(weight, 0.0, at(w, c.m + i * columns + j) - top, -np.inf)
            put(w, c.edges + rest + i, _higher(at(w, c.edges + rest + i), over))
        by_row += weight * at(w, c.edges + j)
        by_column += weight * top
    for i in range(rows):
        by_column += at(w, c.edges + row + i) * at(w, c.edges + rest + i)
    return _lower(by_row, by_column)


@compiled
def _scale(w: np.ndarray, c: Cells, v: int) -> None:
    apart()
    rows, columns, labels = c.rows, c.columns, c.labels
    for i in range(rows):
        for y in range(labels):
            p = at(w, c.p1 + i * labels + y)
            put(w, c.u + i * labels + y, pick(p, 0.0, p / _over_columns(w, c, v, i, y), 0.0))
    for j in range(columns):
        for y in range(labels):
            p = at(w, c.p2 + j * labels + y)
            put(w, v + j * labels + y, pick(p, 0.0, p / _over_rows(w, c, j, y), 0.0))


@compiled
def _log_sums(w: np.ndarray, c: Cells, v: int) -> None:
    """log sum_y U V; 0 where R is right."""
    for i in range(c.rows):
        for j in range(c.columns):
            put(w, c.m + i * c.columns + j, log(_higher(_over_labels(w, c, v, i, j), TINY)))


@compiled
def _over_columns(w: np.ndarray, c: Cells, v: int, i: int, y: int) -> Number:
    total = wide(0.0)
    for j in range(c.columns):
        total += at(w, c.r + i * c.columns + j) * at(w, v + j * c.labels + y)
    return total


@compiled
def _over_rows(w: np.ndarray, c: Cells, j: int, y: int) -> Number:
    total = wide(0.0)
    for i in range(c.rows):
        total += at(w, c.r + i * c.columns + j) * at(w, c.u + i * c.labels + y)
    return total


@compiled
def _over_labels(w: np.ndarray, c: Cells, v: int, i: int, j: int) -> Number:
    total = wide(0.0)
    for y in range(c.labels):
        total += at(w, c.u + i * c.labels + y) * at(w, v + j * c.labels + y)
    return total


@compiled
def _higher(x: Number, y: Number) -> Number:
    return pick(x, y, x, y)


@compiled
def _lower(x: Number, y: Number) -> Number:
    return pick(x, y, y, x)
