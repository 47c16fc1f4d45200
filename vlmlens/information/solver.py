"""Partial information decomposition (PID) of two sources about a target: exact, certified, batched.

decompose(joint)                 # joint[x1, x2, y] -> PID in bits
decompose(stack, tol=1e-3)       # stack[b, x1, x2, y] -> the same, arrays of [b]
optimum(joint)                   # Q[x1, x2, y], in which nothing is synergistic

The measure is BROJA (Bertschinger, Rauh, Olbrich, Jost and Ay, Entropy 16, 2014): over all Q with the pair marginals
Q(x1, y) = P(x1, y) and Q(x2, y) = P(x2, y), maximise H_Q(Y | X1, X2). Its solution factorises as

    Q(x1, x2, y) = R(x1, x2) U(x1, y) V(x2, y),

so that no table of three axes is needed to find it. R climbs by multiplicative steps with momentum, and `newton`
finishes what crawls. Every answer comes with a lower and an upper bound of the optimum; their distance bounds each
term's error.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from vlmlens.errors import UserError
from vlmlens.information.search import SMALL, compiled, search, side_by_side, small
from vlmlens.progress import Progress

TOGETHER = 256  # tables of a stack, at least, between two steps of its progress
CELLS_TOGETHER = 2**16  # or tables of so many cells: of small ones 256 are done in a millisecond
LN2 = float(np.log(2))


class InformationError(UserError):
    """A table that is no probability table, or data from which no information can be estimated."""


@dataclass(frozen=True, eq=False)
class PID:
    """Bits of information about the target. Numbers for one table, arrays [b] for a stack.

    R + U1 = I(X1; Y), R + U2 = I(X2; Y) and R + U1 + U2 + S = I(X1, X2; Y), each within `gap`; each term is within
    `gap` of its true value, and may be below zero by no more. `converged` says whether `gap` reached the tolerance.
    """

    unique_1: Any
    unique_2: Any
    redundant: Any
    synergistic: Any
    gap: Any
    iterations: Any
    converged: Any

    @property
    def total(self) -> Any:
        """I(X1, X2; Y), bits."""
        return self.unique_1 + self.unique_2 + self.redundant + self.synergistic

    @property
    def information_1(self) -> Any:
        """I(X1; Y), bits."""
        return self.redundant + self.unique_1

    @property
    def information_2(self) -> Any:
        """I(X2; Y), bits."""
        return self.redundant + self.unique_2

    def to_dict(self) -> dict[str, Any]:
        names = ("unique_1", "unique_2", "redundant", "synergistic", "total", "gap", "iterations", "converged")
        return {name: np.asarray(getattr(self, name)).tolist() for name in names}


def decompose(
    joint: Any,
    tol: float = 1e-6,
    max_iterations: int = 20_000,
    device: str = "cpu",
    progress: Progress | None = None,
) -> PID:
    """Decompose what X1 and X2 tell about Y.

    Args:
        joint: probabilities or counts [x1, x2, y], or a stack of them [b, x1, x2, y]; any positive scale.
        tol: the gap, in bits, at which a problem counts as solved.
        max_iterations: after these a problem is given as it stands, with its gap and `converged` False.
        device: where stacks are solved ("cpu", "cuda"); a single table is always solved on the CPU.
        progress: of a stack; a step before each 256 tables, or more where they are small.

    Raises:
        InformationError: negative or not finite entries, a table of zeros, or another number of axes.
    """
    tables = _array(joint)
    if tables.ndim == 3:
        known, bounds, iterations = _one(tables[None], tol * LN2, max_iterations)
        u1, u2, redundant, synergistic, gap = _terms(known, bounds)
        return PID(u1, u2, redundant, synergistic, gap, iterations, gap <= tol)
    problems, parts = _Problems.of(tables), []
    together = max(TOGETHER, CELLS_TOGETHER // tables[0].size)
    starts = range(0, len(tables), together)
    for start in (progress or Progress()).over(starts, len(starts), "tables"):
        part = slice(start, start + together)
        parts.append(search(problems.p1[part], problems.p2[part], tol * LN2, max_iterations, device))
    ends = np.concatenate([part.bounds for part in parts])
    u1, u2, redundant, synergistic, gap = _terms(problems.known.T, ends.T)
    return PID(u1, u2, redundant, synergistic, gap, np.concatenate([part.spent for part in parts]), gap <= tol)


def optimum(joint: Any, tol: float = 1e-6, max_iterations: int = 20_000) -> np.ndarray:
    """The Q of the decomposition, [x1, x2, y]: of all tables with the pair marginals of `joint`, one that tells least.

    Its pair marginals are those of `joint`, scaled to sum to 1, to rounding. I_Q(X1, X2; Y) is above the least, which
    is U1 + U2 + R, by no more than the gap that `decompose` reports: `tol`, unless the iterations do not suffice. Where
    many Q attain the least, this is one of them.

    Args:
        joint: probabilities or counts [x1, x2, y], any positive scale.
        tol, max_iterations: as of `decompose`.

    Raises:
        InformationError: as of `decompose`.
    """
    table = _array(joint)
    if table.ndim != 3:
        raise InformationError(f"joint: needs the axes [x1, x2, y], got shape {list(table.shape)}.")
    problems = _Problems.of(table[None])
    found = search(problems.p1, problems.p2, tol * LN2, max_iterations)
    p1, p2, r, v = problems.p1[0], problems.p2[0], found.r[0], found.v[0]
    u = _ratio(p1, r @ v)
    v = _ratio(p2, r.T @ u)
    u = u * np.minimum(1, _ratio(p1, u * (r @ v)))
    v = v * np.minimum(1, _ratio(p2, v * (r.T @ u)))
    q = r[:, :, None] * u[:, None] * v[None]  # no marginal too large; it proves the upper bound
    lack1, lack2 = np.maximum(p1 - q.sum(axis=1), 0), np.maximum(p2 - q.sum(axis=0), 0)
    # What is lacking comes in without regard to the other source, which can only lower the value further.
    return q + _ratio(lack1, lack1.sum(axis=0, keepdims=True))[:, None] * lack2[None]


def prices(joint: Any, tol: float = 1e-6) -> tuple[np.ndarray, np.ndarray]:
    """The dual solution in bits: a [x1, y] and b [x2, y] with sum_y 2^(a + b) <= 1 for every pair of x1 and x2.

    a + b stands for log2 q(y | x1, x2) also where Q has no mass, and its mean under `joint` is -H_Q(Y | X1, X2), the
    optimum, from below and to about the gap. Minus infinity where x1, or x2, never goes with y.
    """
    problems = _Problems.of(_array(joint)[None])
    found = search(problems.p1, problems.p2, tol * LN2, 20_000)
    p1, p2, r, v = problems.p1[0], problems.p2[0], found.r[0], found.v[0]
    u = _ratio(p1, r @ v)
    v = _ratio(p2, r.T @ u)
    with np.errstate(divide="ignore"):
        a, b, over = np.log2(u), np.log2(v), np.log2(u @ v.T)
    over[~p1.any(axis=1)], over[:, ~p2.any(axis=1)] = -np.inf, -np.inf  # what never occurs bounds nothing
    ways = []
    for first in (1, 0):  # lower the rows first, or the columns
        one = _finite(over.max(axis=first))
        two = _finite((over - (one[:, None] if first else one[None])).max(axis=1 - first))
        ways.append((one, two) if first else (two, one))
    rows, columns = min(ways, key=lambda way: float(p1.sum(axis=1) @ way[0] + p2.sum(axis=1) @ way[1]))
    return a - rows[:, None], b - columns[:, None]


def _one(table: np.ndarray, tol: float, most: int) -> tuple[list[float], list[float], int]:
    """What `_Problems` knows of a table [1, x1, x2, y], its bounds and the iterations that it took."""
    if table.size <= SMALL and (quick := small(table, tol, most)):
        return quick
    problem = _Problems.of(table)
    found = search(problem.p1, problem.p2, tol, most)
    return problem.known[0].tolist(), found.bounds[0].tolist(), int(found.spent[0])


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, 0.0)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """0 where nothing is asked for."""
    return np.divide(above, below, out=np.zeros_like(above), where=above > 0)


@dataclass(frozen=True, eq=False)
class _Problems:
    """A stack of tables by what the solution needs of them."""

    p1: np.ndarray  # P(x1, y) [b, x1, y]
    p2: np.ndarray  # P(x2, y) [b, x2, y]
    known: np.ndarray  # I(X1; Y), I(X2; Y), I(X1, X2; Y), H(Y), nats [b, 4]

    @classmethod
    def of(cls, tables: np.ndarray) -> "_Problems":
        """Raises InformationError where one is no table."""
        measure = compiled()[0].measure
        b, rows, columns, labels = tables.shape
        p1, p2, known = np.empty((b, rows, labels)), np.empty((b, columns, labels)), np.empty((b, 4))
        sound = []
        side_by_side(lambda part: sound.append(measure(tables[part], p1[part], p2[part], known[part])), b)
        if not all(sound):
            raise InformationError(_complaint(tables))
        return cls(p1, p2, known)


def _terms(known: Any, bounds: Any) -> tuple[Any, Any, Any, Any, Any]:
    """U1, U2, R, S and the gap in bits, from what `measure` knows and the lower and upper bound, nats."""
    (one, two, both, entropy), (low, high) = known, bounds
    union = entropy + (low + high) / 2  # I_Q(X1, X2; Y), least over all Q
    return (
        (union - two) / LN2,
        (union - one) / LN2,
        (one + two - union) / LN2,
        (both - union) / LN2,
        (high - low) / LN2,
    )


def _array(joint: Any) -> np.ndarray:
    try:
        tables = np.asarray(joint.cpu() if hasattr(joint, "cpu") else joint, np.float64, order="C")
    except (TypeError, ValueError) as error:
        raise InformationError("joint: a table of numbers [x1, x2, y] is needed, all rows of one length.") from error
    if tables.ndim not in (3, 4) or 0 in tables.shape:
        raise InformationError(f"joint: needs the axes [x1, x2, y] or [b, x1, x2, y], got shape {list(tables.shape)}.")
    return tables


def _complaint(tables: np.ndarray) -> str:
    if not np.isfinite(tables).all():
        return "joint: holds entries that are not finite numbers."
    if (tables < 0).any():
        return f"joint: probabilities and counts are not negative; the least entry is {tables.min()}."
    return "joint: a table without a single count has no information."
