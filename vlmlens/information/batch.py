"""Many tables at once: log-momentum multiplicative scaling in torch, float64, on the CPU or a GPU."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from vlmlens.information.certificate import LOWEST, bounds, log, scaled
from vlmlens.information.single import CHECK_EVERY, MOMENTUM_LIMIT, solve_one

PATIENCE = 200  # iterations in which the gap must halve, else a table changes its step
PLAIN_POWER = 1.8  # of the step without momentum; below 2 it converged on every table tried
ALONE_AFTER = 2000  # iterations; what is not solved by then is finished one by one, by Newton's method


def solve_many(p1: np.ndarray, p2: np.ndarray, tol: float, most: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """Bounds [b, 2] of the least -H_Q(Y | X1, X2), nats, and the iterations [b] spent; what is solved is dropped.

    Args:
        p1, p2: P(x1, y) [b, x1, y] and P(x2, y) [b, x2, y].
    """
    found, spent = np.full((len(p1), 2), (-np.inf, np.inf)), np.full(len(p1), min(most, ALONE_AFTER))
    alive = np.arange(len(p1))
    state = _State.start(torch.from_numpy(p1).to(device), torch.from_numpy(p2).to(device))
    for iteration in range(1, min(most, ALONE_AFTER) + 1):
        state.step()
        if iteration % CHECK_EVERY and iteration != most and iteration > 2:
            continue
        low, high = (side.cpu().numpy() for side in bounds(torch, state.p1, state.p2, state.log_r.exp(), state.v))
        found[alive, 0], found[alive, 1] = np.fmax(found[alive, 0], low), np.fmin(found[alive, 1], high)
        gap = found[alive, 1] - found[alive, 0]
        open_ = gap > tol
        spent[alive[~open_]] = iteration
        alive = alive[open_]
        if not len(alive):
            break
        state = state.only(open_)
        state.change_step_where_stuck(gap[open_], iteration)
    for index in alive if most > ALONE_AFTER else ():
        low, high, more = solve_one(p1[index], p2[index], tol, most - ALONE_AFTER)
        found[index] = max(found[index, 0], low), min(found[index, 1], high)
        spent[index] += more
    # Rounding can put the two bounds past each other by less than it can resolve.
    return np.stack([np.minimum(found[:, 0], found[:, 1]), found[:, 1]], axis=1), spent


@dataclass(eq=False)
class _State:
    """Where the tables stand; every array has the axis b first. Changed in place."""

    p1: Tensor  # [b, x1, y]
    p2: Tensor  # [b, x2, y]
    log_r: Tensor  # [b, x1, x2]
    before: Tensor  # log R before momentum, one step ago
    v: Tensor  # [b, x2, y]
    age: Tensor  # [b], steps since momentum started anew
    plain: Tensor  # [b], bool: without momentum
    best: np.ndarray  # [b], the gap that has to be halved
    best_at: np.ndarray  # [b], iteration

    @classmethod
    def start(cls, p1: Tensor, p2: Tensor) -> "_State":
        y = p1.sum(1, keepdim=True)
        log_r = log(torch, p1 / torch.where(y > 0, y, 1.0) @ p2.mT)
        age = torch.zeros_like(y[:, 0, 0])
        fresh = np.full(len(p1), np.inf), np.zeros(len(p1), int)
        return cls(p1, p2, log_r, log_r, (p2 > 0).double(), age, age > 0, *fresh)

    def step(self) -> None:
        r = self.log_r.exp()
        u, self.v = scaled(torch, self.p1, self.p2, r, self.v)
        slope = log(torch, u @ self.v.mT)  # [b, x1, x2], 0 where R is right
        now = self.log_r + slope
        push = now - self.before
        self.age[(r * slope * push).sum((1, 2)) < 0] = 0
        push = ((self.age / (self.age + 3))[:, None, None] * push).clamp(-MOMENTUM_LIMIT, MOMENTUM_LIMIT)
        new = torch.where(self.plain[:, None, None], self.log_r + PLAIN_POWER * slope, now + push)
        self.log_r = (new - new.logsumexp((1, 2), keepdim=True)).clamp_min(LOWEST)
        self.before, self.age = now, self.age + 1

    def only(self, chosen: np.ndarray) -> "_State":
        """The state of these tables."""
        if chosen.all():
            return self
        index = np.flatnonzero(chosen)
        return _State(*(getattr(self, field.name)[index] for field in fields(self)))

    def change_step_where_stuck(self, gap: np.ndarray, iteration: int) -> None:
        """Momentum can circle around the solution: change to plain steps where the gap has not halved, and back."""
        better = gap <= self.best / 2
        stuck = ~better & (iteration - self.best_at >= PATIENCE)
        self.best = np.where(better | stuck, gap, self.best)
        self.best_at = np.where(better | stuck, iteration, self.best_at)
        if stuck.any():
            turn = torch.from_numpy(stuck).to(self.plain.device)
            self.plain ^= turn
            self.age[turn] = 0
