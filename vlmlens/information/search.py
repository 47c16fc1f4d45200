"""Where the optimum lies and between which bounds: every table climbs, and Newton's method takes those that crawl."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vlmlens.information.newton import finish

TABLES_A_THREAD = 16  # at least; fewer are not worth another thread
# Iterations before Newton's method, at least and for each unknown of its linear system: most tables are solved by then,
# and to climb on would take longer.
NEWTON_AFTER = 1000
NEWTON_AFTER_PER_UNKNOWN = 5


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
    from vlmlens.information.climb import climb, start  # numba takes half a second to import

    r, v = np.empty((len(p1), p1.shape[1], p2.shape[1])), np.empty(p2.shape)
    found, spent = np.array([(-np.inf, np.inf)] * len(p1)), np.zeros(len(p1), np.int64)
    first = min(most, max(NEWTON_AFTER, NEWTON_AFTER_PER_UNKNOWN * (p1[0].size + p2[0].size)))
    start(p1, p2, r, v)
    if device == "cpu":

        def some(part: slice) -> None:
            climb(p1[part], p2[part], r[part], v[part], found[part], spent[part], tol, first)

        _side_by_side(some, len(p1))
    else:
        from vlmlens.information import gpu

        gpu.climb(p1, p2, r, v, found, spent, tol, first, device)
    crawling = np.flatnonzero(found[:, 1] - found[:, 0] > tol) if most > first else ()
    for b in crawling:
        one = slice(b, b + 1)
        nearer_r, nearer_v = _newton(p1[b], p2[b], r[b], v[b], tol)
        nearer, more = np.array([(-np.inf, np.inf)]), np.zeros(1, np.int64)
        climb(p1[one], p2[one], nearer_r[None], nearer_v[None], nearer, more, tol, 0)
        found[b, 0] = max(found[b, 0], nearer[0, 0])
        if nearer[0, 1] < found[b, 1]:
            found[b, 1], r[b], v[b] = nearer[0, 1], nearer_r, nearer_v
        if found[b, 1] - found[b, 0] > tol:
            climb(p1[one], p2[one], r[one], v[one], found[one], more, tol, most - first)
            spent[b] += more[0]
    found[:, 0] = np.minimum(found[:, 0], found[:, 1])  # rounding can put them past each other
    return Search(found, spent, r, v)


def _side_by_side(some: Callable[[slice], None], count: int) -> None:
    """Do `some` for all of `count` tables, on as many threads as there are cores; what is compiled holds no lock."""
    few = count < 2 * TABLES_A_THREAD
    threads = 1 if few else min(os.cpu_count() or 1, count // TABLES_A_THREAD)  # to count cores takes 20 us
    if threads == 1:
        some(slice(None))
        return
    with ThreadPoolExecutor(threads) as pool:
        cuts = [count * thread // threads for thread in range(threads + 1)]  # in one piece: else it is compiled anew
        list(pool.map(some, map(slice, cuts, cuts[1:])))


def _newton(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, v: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
    """R and V nearer to the solution, as Newton's method finds them without what never occurs."""
    rows, columns, labels = p1.any(axis=1), p2.any(axis=1), p1.any(axis=0)
    some_r, some_v = np.ix_(rows, columns), np.ix_(columns, labels)
    new_r, new_v = np.zeros_like(r), np.zeros_like(v)
    new_r[some_r], new_v[some_v] = finish(p1[np.ix_(rows, labels)], p2[some_v], r[some_r], v[some_v], tol)
    return new_r, new_v
