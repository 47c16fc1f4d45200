"""Partial information decomposition (PID) of two sources about a target: exact, certified, batched.

decompose(joint)                 # joint[x1, x2, y] -> PID in bits
decompose(stack, tol=1e-3)       # stack[b, x1, x2, y] -> the same, arrays of [b]

The measure is BROJA (Bertschinger, Rauh, Olbrich, Jost and Ay, Entropy 16, 2014): over all Q with the pair marginals
Q(x1, y) = P(x1, y) and Q(x2, y) = P(x2, y), maximise H_Q(Y | X1, X2). Its solution factorises as

    Q(x1, x2, y) = R(x1, x2) U(x1, y) V(x2, y),

so that no table of three axes is ever held. R climbs by multiplicative steps with momentum, and `newton` finishes what
crawls. Every answer comes with a lower and an upper bound of the optimum; their distance bounds each term's error.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from vlmlens.errors import UserError
from vlmlens.information.batch import solve_many
from vlmlens.information.single import solve_one
from vlmlens.progress import Progress

TOGETHER = 256  # tables of one batch


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
        progress: of a stack; a step before each 256 tables.

    Raises:
        InformationError: negative or not finite entries, a table of zeros, or another number of axes.
    """
    tables = _checked(joint)
    single = tables.ndim == 3
    problems = _Problems.of(tables[None] if single else tables)
    nats = tol * float(np.log(2))
    if single:
        low, high, spent = solve_one(problems.p1[0], problems.p2[0], nats, max_iterations)
        terms = problems.terms(np.array([[low, high]])) / np.log(2)
        u1, u2, redundant, synergistic, gap = terms[0].tolist()
        return PID(u1, u2, redundant, synergistic, gap, spent, gap <= tol)
    parts = []
    starts = range(0, len(tables), TOGETHER)
    for start in (progress or Progress()).over(starts, len(starts), "tables"):
        part = slice(start, start + TOGETHER)
        parts.append(solve_many(problems.p1[part], problems.p2[part], nats, max_iterations, device))
    bounds, iterations = (np.concatenate(side) for side in zip(*parts, strict=True))
    terms = problems.terms(bounds) / np.log(2)
    return PID(terms[:, 0], terms[:, 1], terms[:, 2], terms[:, 3], terms[:, 4], iterations, terms[:, 4] <= tol)


@dataclass(frozen=True, eq=False)
class _Problems:
    """A stack of tables by what the solution needs of them, in nats."""

    p1: np.ndarray  # P(x1, y) [b, x1, y]
    p2: np.ndarray  # P(x2, y) [b, x2, y]
    information_1: np.ndarray  # I(X1; Y) [b]
    information_2: np.ndarray
    information: np.ndarray  # I(X1, X2; Y)
    entropy: np.ndarray  # H(Y)

    @classmethod
    def of(cls, tables: np.ndarray) -> "_Problems":
        p = tables / tables.sum(axis=(1, 2, 3), keepdims=True)
        p1, p2 = p.sum(axis=2), p.sum(axis=1)
        y = _entropy(p1.sum(axis=1))
        return cls(
            p1,
            p2,
            _entropy(p1.sum(axis=2)) + y - _entropy(p1),
            _entropy(p2.sum(axis=2)) + y - _entropy(p2),
            _entropy(p.sum(axis=3)) + y - _entropy(p),
            y,
        )

    def terms(self, bounds: np.ndarray) -> np.ndarray:
        """From lower and upper bound [b, 2] to U1, U2, R, S, gap [b, 5]."""
        union = self.entropy + bounds.mean(axis=1)  # I_Q(X1, X2; Y), least over all Q
        return np.stack(
            [
                union - self.information_2,
                union - self.information_1,
                self.information_1 + self.information_2 - union,
                self.information - union,
                bounds[:, 1] - bounds[:, 0],
            ],
            axis=1,
        )


def _checked(joint: Any) -> np.ndarray:
    try:
        tables = np.asarray(joint.cpu() if isinstance(joint, torch.Tensor) else joint, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InformationError("joint: a table of numbers [x1, x2, y] is needed, all rows of one length.") from error
    if tables.ndim not in (3, 4) or 0 in tables.shape:
        raise InformationError(f"joint: needs the axes [x1, x2, y] or [b, x1, x2, y], got shape {list(tables.shape)}.")
    if not np.isfinite(tables).all():
        raise InformationError("joint: holds entries that are not finite numbers.")
    if (tables < 0).any():
        raise InformationError(f"joint: probabilities and counts are not negative; the least entry is {tables.min()}.")
    if (tables.sum(axis=(-3, -2, -1)) <= 0).any():
        raise InformationError("joint: a table without a single count has no information.")
    return tables


def _entropy(p: np.ndarray) -> np.ndarray:
    """Nats, over all axes but the first."""
    flat = p.reshape(len(p), -1)
    return -(flat * np.log(flat, out=np.zeros_like(flat), where=flat > 0)).sum(axis=1)
