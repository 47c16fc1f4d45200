"""The same climb on a GPU: many tables abreast in torch, float64."""

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from vlmlens.information.climb import LOWEST, MOMENTUM_LIMIT, PATIENCE, PLAIN_POWER, STEP, TINY


def climb(
    p1: np.ndarray,
    p2: np.ndarray,
    r: np.ndarray,
    v: np.ndarray,
    found: np.ndarray,
    spent: np.ndarray,
    tol: float,
    most: int,
    device: str,
) -> None:
    """As `vlmlens.information.climb.climb`; what is solved is dropped."""
    alive, looks = np.arange(len(p1)), 1
    state = _State.start(*(torch.from_numpy(array).to(device) for array in (p1, p2, r, v)))
    for iteration in range(1, most + 1):
        state.step()
        if iteration != looks**2 and iteration != most:
            continue
        looks += 1
        now = state.log_r.exp()
        low, high = (side.cpu().numpy() for side in bounds(state.p1, state.p2, now, state.v))
        nearer = high < found[alive, 1]
        r[alive[nearer]], v[alive[nearer]] = now.cpu().numpy()[nearer], state.v.cpu().numpy()[nearer]
        found[alive, 0], found[alive, 1] = np.fmax(found[alive, 0], low), np.fmin(found[alive, 1], high)
        spent[alive] = iteration
        gap = found[alive, 1] - found[alive, 0]
        open_ = gap > tol
        alive = alive[open_]
        if not len(alive):
            break
        state = state.only(open_)
        state.change_step_where_stuck(gap[open_], iteration)


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
    def start(cls, p1: Tensor, p2: Tensor, r: Tensor, v: Tensor) -> "_State":
        log_r, age = _log(r), torch.zeros_like(p1[:, 0, 0])
        return cls(p1, p2, log_r, log_r, v, age, age > 0, np.full(len(p1), np.inf), np.zeros(len(p1), int))

    def step(self) -> None:
        r = self.log_r.exp()
        u, self.v = _scaled(self.p1, self.p2, r, self.v)
        slope = _log(u @ self.v.mT)  # [b, x1, x2], 0 where R is right
        now = self.log_r + STEP * slope
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


def bounds(p1: Tensor, p2: Tensor, r: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """The lower and the upper bound [b] that R and V prove; see `climb.bounds`."""
    u, v = _scaled(p1, p2, r, v)
    m = u @ v.mT
    row, column = p1.sum(2), p2.sum(2)
    excess = torch.where((row[:, :, None] > 0) & (column[:, None, :] > 0), _log(m), -torch.inf)
    a1 = _finite(excess.amax(2))
    b1 = _finite((excess - a1[:, :, None]).amax(1))
    b2 = _finite(excess.amax(1))
    a2 = _finite((excess - b2[:, None, :]).amax(2))
    price = torch.minimum((row * a1).sum(1) + (column * b1).sum(1), (row * a2).sum(1) + (column * b2).sum(1))
    low = torch.xlogy(p1, u).sum((1, 2)) + torch.xlogy(p2, v).sum((1, 2)) - price

    u = u * _ratio(p1, u * (r @ v)).clamp_max(1.0)
    v = v * _ratio(p2, v * (r.mT @ u)).clamp_max(1.0)
    m = u @ v.mT
    high = torch.xlogy(u * (r @ v), u).sum((1, 2)) + torch.xlogy(v * (r.mT @ u), v).sum((1, 2))
    return low, high - torch.xlogy(r * m, m).sum((1, 2))


def _scaled(p1: Tensor, p2: Tensor, r: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    """U and V that give R U V its pair marginals: V's now, U's before V changed."""
    u = _ratio(p1, r @ v)
    return u, _ratio(p2, r.mT @ u)


def _log(values: Tensor) -> Tensor:
    return values.clamp_min(TINY).log()


def _ratio(above: Tensor, below: Tensor) -> Tensor:
    """0 where nothing is asked for."""
    return torch.where(above > 0, above / below, 0.0)


def _finite(values: Tensor) -> Tensor:
    """Rows and columns that never occur cost nothing."""
    return torch.where(values > -torch.inf, values, 0.0)
