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
from typing import Any, TypeAlias

import numpy as np
import torch

from vlmlens.errors import UserError
from vlmlens.information.newton import finish
from vlmlens.progress import Progress

Array: TypeAlias = Any  # numpy.ndarray or torch.Tensor, float64

CHECK_EVERY = 25  # iterations between certificates
PATIENCE = 200  # iterations in which the gap must halve, else the problem changes its step
PLAIN_POWER = 1.8  # of the step without momentum; below 2 it converged on every problem tried
MOMENTUM_LIMIT = 5.0
LOWEST = -40.0  # of log R
TOGETHER = 256  # problems of one batch
NEWTON_AFTER = (150, 2000)  # iterations, for tables whose linear system has at most
NEWTON_SIZE = 600  # unknowns, and for larger ones


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
    count = len(problems.p1)
    found = np.zeros((count, 2))  # bounds of -H_Q(Y | X1, X2), nats
    iterations = np.zeros(count, int)
    step = 1 if single else TOGETHER
    starts = range(0, count, step)
    for start in (progress or Progress()).over(starts, len(starts), "tables"):
        part = slice(start, min(start + step, count))
        p1: Array = problems.p1[part]
        p2: Array = problems.p2[part]
        if not single:
            p1, p2 = (torch.from_numpy(p).to(device) for p in (p1, p2))
        found[part], iterations[part] = _solve(p1, p2, tol * np.log(2), max_iterations)
    terms = problems.terms(found) / np.log(2)
    values: tuple[Any, ...] = (*terms.T, iterations, terms[:, 4] <= tol)
    if single:
        values = tuple(column[0].item() for column in values)
    return PID(*values)


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


def _solve(p1: Array, p2: Array, tol: float, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Bounds [b, 2] of the least -H_Q(Y | X1, X2) in nats, and the iterations [b] spent; drops what is solved."""
    xp = torch if isinstance(p1, torch.Tensor) else np
    count = len(p1)
    bounds, spent = np.full((count, 2), (-np.inf, np.inf)), np.full(count, most)
    alive = np.arange(count)
    newton_at = NEWTON_AFTER[(p1.shape[1] + p2.shape[1]) * p1.shape[2] > NEWTON_SIZE]
    state = _State.start(xp, p1, p2)
    for iteration in range(1, most + 1):
        state.step()
        if iteration % CHECK_EVERY and iteration != most and iteration > 2:
            continue
        low, high = (_numpy(side) for side in state.certificate())
        bounds[alive, 0], bounds[alive, 1] = np.maximum(bounds[alive, 0], low), np.minimum(bounds[alive, 1], high)
        gap = bounds[alive, 1] - bounds[alive, 0]
        open_ = gap > tol
        spent[alive[~open_]] = iteration
        alive = alive[open_]
        if not len(alive):
            break
        if not open_.all():
            state.keep(open_)
        state.change_step_where_stuck(gap[open_], iteration)
        if iteration == newton_at:
            state.finish(gap[open_], tol)
    # Rounding can put the two bounds past each other by less than it can resolve.
    return np.stack([np.minimum(bounds[:, 0], bounds[:, 1]), bounds[:, 1]], axis=1), spent


@dataclass(eq=False)
class _State:
    """Where a stack of problems stands; every array has the axis b first. Changed in place."""

    xp: Any  # numpy or torch
    p1: Array  # [b, x1, y]
    p2: Array  # [b, x2, y]
    log_r: Array  # [b, x1, x2]
    before: Array  # log R before momentum, one step ago
    v: Array  # [b, x2, y]
    age: Array  # [b], steps since momentum started anew
    plain: Array  # [b], bool: without momentum
    best: np.ndarray  # [b], the gap that has to be halved
    best_at: np.ndarray  # [b], iteration

    @classmethod
    def start(cls, xp: Any, p1: Array, p2: Array) -> "_State":
        y = p1.sum(1)[:, None]
        log_r = _log(xp, _ratio(xp, p1, y) @ xp.swapaxes(p2, 1, 2))
        nothing = xp.zeros_like(y[:, 0, 0])
        fresh = np.full(len(p1), np.inf), np.zeros(len(p1), int)
        return cls(xp, p1, p2, log_r, log_r, xp.where(p2 > 0, 1.0, 0.0 * p2), nothing, nothing > 0, *fresh)

    def scaled(self) -> tuple[Array, Array, Array]:
        """R, and the U and V that give R U V its pair marginals, U's a step earlier."""
        r = self.xp.exp(self.log_r)
        u = _ratio(self.xp, self.p1, r @ self.v)
        self.v = _ratio(self.xp, self.p2, self.xp.swapaxes(r, 1, 2) @ u)
        return r, u, self.v

    def step(self) -> None:
        xp = self.xp
        r, u, v = self.scaled()
        slope = _log(xp, u @ xp.swapaxes(v, 1, 2))  # [b, x1, x2], 0 where R is right
        now = self.log_r + slope
        push = now - self.before
        self.age = xp.where((r * slope * push).sum((1, 2)) < 0, 0.0 * self.age, self.age)
        pushed = now + xp.clip((self.age / (self.age + 3))[:, None, None] * push, -MOMENTUM_LIMIT, MOMENTUM_LIMIT)
        new = xp.where(self.plain[:, None, None], self.log_r + PLAIN_POWER * slope, pushed)
        new = new - xp.amax(new, (1, 2))[:, None, None]
        new = new - xp.log(xp.exp(new).sum((1, 2)))[:, None, None]
        self.log_r, self.before, self.age = xp.clip(new, LOWEST, None), now, self.age + 1

    def certificate(self) -> tuple[Array, Array]:
        """A lower and an upper bound [b] of the least -H_Q(Y | X1, X2), nats: of its dual, and of the primal."""
        xp, p1, p2 = self.xp, self.p1, self.p2
        r, u, v = self.scaled()
        turned = xp.swapaxes(r, 1, 2)

        # Dual: <p1, log U> + <p2, log V>, less what makes sum_y U V <= 1 hold everywhere: a(x1) + b(x2) >= log of it.
        m = u @ xp.swapaxes(v, 1, 2)
        row, column = p1.sum(2), p2.sum(2)
        excess = xp.where((row[:, :, None] > 0) & (column[:, None, :] > 0) & (m > 0), _log(xp, m), -np.inf)
        a1 = _finite(xp, xp.amax(excess, 2))
        b1 = _finite(xp, xp.amax(excess - a1[:, :, None], 1))
        b2 = _finite(xp, xp.amax(excess, 1))
        a2 = _finite(xp, xp.amax(excess - b2[:, None, :], 2))
        first = (row * a1).sum(1) + (column * b1).sum(1)
        second = (row * a2).sum(1) + (column * b2).sum(1)
        price = xp.minimum(first, second)  # their mean, also allowed, is never less than both
        low = (p1 * _log(xp, u)).sum((1, 2)) + (p2 * _log(xp, v)).sum((1, 2)) - price

        # Primal: U, then V, scaled down until no marginal is too large; what is missing can only lower the value.
        u = u * xp.clip(_ratio(xp, p1, u * (r @ v)), None, 1.0)
        v = v * xp.clip(_ratio(xp, p2, v * (turned @ u)), None, 1.0)
        m = u @ xp.swapaxes(v, 1, 2)
        high = (u * (r @ v) * _log(xp, u)).sum((1, 2)) + (v * (turned @ u) * _log(xp, v)).sum((1, 2))
        return low, high - (r * m * _log(xp, m)).sum((1, 2))

    def keep(self, open_: np.ndarray) -> None:
        """Go on with these problems only."""
        chosen = np.flatnonzero(open_)
        for name in ("p1", "p2", "log_r", "before", "v", "age", "plain", "best", "best_at"):
            setattr(self, name, getattr(self, name)[chosen])

    def change_step_where_stuck(self, gap: np.ndarray, iteration: int) -> None:
        """Momentum can circle around the solution: change to plain steps where the gap has not halved, and back."""
        better = gap <= self.best / 2
        stuck = ~better & (iteration - self.best_at >= PATIENCE)
        self.best = np.where(better | stuck, gap, self.best)
        self.best_at = np.where(better | stuck, iteration, self.best_at)
        if stuck.any():
            turn = torch.from_numpy(stuck).to(self.plain.device) if self.xp is torch else stuck
            self.plain = self.plain ^ turn
            self.age = self.xp.where(turn, 0.0 * self.age, self.age)

    def finish(self, gap: np.ndarray, tol: float) -> None:
        """Newton's method on each problem, on the CPU; where it does not come nearer, all stays as it was."""
        for index in range(len(gap)):
            p1, p2, log_r, v = (_numpy(array[index]) for array in (self.p1, self.p2, self.log_r, self.v))
            rows, columns = p1.any(axis=1), p2.any(axis=1)
            held = np.ix_(rows, columns)
            r, part = finish(p1[rows], p2[columns], np.exp(log_r[held]), v[columns], tol)
            trial = _State.start(np, p1[rows][None], p2[columns][None])
            trial.log_r, trial.v = _log(np, r)[None], part[None]
            low, high = trial.certificate()
            if not 0 <= high[0] - low[0] < gap[index]:
                continue
            log_r, v = np.full_like(log_r, LOWEST), np.zeros_like(v)
            log_r[held], v[columns] = trial.log_r[0], part
            for mine, new in ((self.log_r, log_r), (self.before, log_r), (self.v, v)):
                mine[index] = torch.from_numpy(new) if self.xp is torch else new
            self.age[index] = 0.0


def _ratio(xp: Any, above: Array, below: Array) -> Array:
    """0 where both are 0."""
    return above / xp.where(below > 0, below, 1.0 + 0.0 * below)


def _log(xp: Any, values: Array) -> Array:
    """Never below `LOWEST`, so that 0 log 0 is 0."""
    return xp.log(xp.clip(values, np.exp(LOWEST), None))


def _finite(xp: Any, values: Array) -> Array:
    return xp.where(xp.isfinite(values), values, 0.0 * xp.clip(values, 0.0, 0.0))


def _numpy(values: Array) -> np.ndarray:
    return values.cpu().numpy() if isinstance(values, torch.Tensor) else values
