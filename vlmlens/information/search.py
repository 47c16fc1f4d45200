"""Where the optimum lies and between which bounds: every table climbs, and Newton's method takes those that crawl."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from types import ModuleType

import numpy as np

from vlmlens.information.newton import finish

TABLES_A_THREAD = 16  # at least; fewer are not worth another thread
# Iterations before Newton's method, at least and for each unknown of its linear system: most tables are solved by then,
# and to climb on would take longer.
NEWTON_AFTER = 1000
NEWTON_AFTER_PER_UNKNOWN = 5
# Eight tables abreast take as long as one or, with all their cells in longer loops, as three would one by one.
ABREAST_FROM = 4  # tables
SMALL = 36  # cells; up to here also a single table


@dataclass(frozen=True, eq=False)
class Search:
    """What was found for each table b, nats."""

    bounds: np.ndarray  # of the least -H_Q(Y | X1, X2), lower and upper [b, 2]
    spent: np.ndarray  # iterations [b]
    r: np.ndarray  # [b, x1, x2], the point that proves the upper bound
    v: np.ndarray  # [b, x2, y]


def search(p1: np.ndarray, p2: np.ndarray, tol: float, most: int, device: str = "cpu") -> Search:
    """Bring the bounds of every table `tol` nats together, in `most` iterations.

    Args:
        p1, p2: P(x1, y) [b, x1, y] and P(x2, y) [b, x2, y]; rows may be empty.
        device: "cpu", or where torch finds a GPU.
    """
    alone, lanes = compiled()
    (count, rows, labels), columns = p1.shape, p2.shape[1]
    r, v, found, spent = (
        np.empty((count, rows, columns)),
        np.empty(p2.shape),
        np.empty((count, 2)),
        np.zeros(count, int),
    )
    first = min(most, max(NEWTON_AFTER, NEWTON_AFTER_PER_UNKNOWN * (rows + columns) * labels))
    if device == "cpu":
        abreast = count >= ABREAST_FROM or rows * columns * labels <= SMALL
        climb = lanes.climb if abreast else alone.climb

        def some(part: slice) -> None:
            alone.start(p1[part], p2[part], r[part], v[part], found[part])
            climb(p1[part], p2[part], r[part], v[part], found[part], spent[part], tol, first)

        side_by_side(some, count)
    else:
        from vlmlens.information import gpu

        alone.start(p1, p2, r, v, found)
        gpu.climb(p1, p2, r, v, found, spent, tol, first, device)
    for b in (found[:, 1] - found[:, 0] > tol).nonzero()[0] if most > first else ():
        one = slice(b, b + 1)
        nearer_r, nearer_v = _newton(p1[b], p2[b], r[b], v[b], tol)
        nearer, more = np.array([(-np.inf, np.inf)]), np.zeros(1, np.int64)
        alone.climb(p1[one], p2[one], nearer_r[None], nearer_v[None], nearer, more, tol, 0)
        found[b, 0] = max(found[b, 0], nearer[0, 0])
        if nearer[0, 1] < found[b, 1]:
            found[b, 1], r[b], v[b] = nearer[0, 1], nearer_r, nearer_v
        if found[b, 1] - found[b, 0] > tol:
            alone.climb(p1[one], p2[one], r[one], v[one], found[one], more, tol, most - first)
            spent[b] += more[0]
    np.minimum(found[:, 0], found[:, 1], out=found[:, 0])  # rounding can put them past each other
    return Search(found, spent, r, v)


def small(table: np.ndarray, tol: float, most: int) -> tuple[list[float], list[float], int] | None:
    """What `measure` knows of a table [1, x1, x2, y], its bounds and the iterations; None where that needs all of this.

    What `search` would find, in the least time: what surrounds the climb of a small table takes as long as that.
    """
    alone, lanes = compiled()
    _, rows, columns, labels = table.shape
    p1, p2, known = np.empty((1, rows, labels)), np.empty((1, columns, labels)), np.empty((1, 4))
    r, v, found, spent = (
        np.empty((1, rows, columns)),
        np.empty((1, columns, labels)),
        np.empty((1, 2)),
        np.empty(1, int),
    )
    if not alone.measure(table, p1, p2, known):
        return None
    alone.start(p1, p2, r, v, found)
    lanes.climb(p1, p2, r, v, found, spent, tol, min(most, NEWTON_AFTER))
    low, high = found[0].tolist()
    if high - low > tol and most > NEWTON_AFTER:
        return None
    return known[0].tolist(), [min(low, high), high], int(spent[0])


def side_by_side(some: Callable[[slice], None], count: int) -> None:
    """Do `some` for all of `count` tables, on as many threads as there are cores; what is compiled holds no lock."""
    if count < 2 * TABLES_A_THREAD:
        some(slice(0, count))
        return
    threads = min(os.cpu_count() or 1, count // TABLES_A_THREAD)
    cuts = [count * thread // threads for thread in range(threads + 1)]
    others = [_threads().submit(some, slice(*cut)) for cut in pairwise(cuts[1:])]
    some(slice(0, cuts[1]))
    for other in others:
        other.result()


@cache
def compiled() -> tuple[ModuleType, ModuleType]:
    from vlmlens.information import climb, lanes  # numba takes half a second to import

    return climb, lanes


@cache
def _threads() -> ThreadPoolExecutor:
    """Beside the one that calls; to start them anew would take longer than 256 small tables do."""
    return ThreadPoolExecutor(os.cpu_count(), "pid")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # threads stay behind in the parent


def _newton(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, v: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
    """R and V nearer to the solution, as Newton's method finds them without what never occurs."""
    rows, columns, labels = p1.any(axis=1), p2.any(axis=1), p1.any(axis=0)
    some_r, some_v = np.ix_(rows, columns), np.ix_(columns, labels)
    new_r, new_v = np.zeros_like(r), np.zeros_like(v)
    new_r[some_r], new_v[some_v] = finish(p1[np.ix_(rows, labels)], p2[some_v], r[some_r], v[some_v], tol)
    return new_r, new_v
