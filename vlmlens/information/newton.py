"""Second-order finish for tables on which multiplicative steps crawl: a primal-dual interior-point method.

The dual of `solver`'s problem: maximise <P1, a> + <P2, b> with h(x1, x2) = log sum_y exp(a + b) <= 0 everywhere. Its
multipliers are R(x1, x2), and exp(a), exp(b) are U, V. Where the sources tell little, R hardly moves U and V, and
first-order steps need thousands; Newton's do not care. Nothing here is believed: `solver` bounds what comes back.
"""

import numpy as np

from vlmlens.threads import one_thread

STEPS = 60
CENTRING = 0.25
SHORT_OF = 0.995  # of the way to the boundary


def finish(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, v: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
    """R [x1, x2] and V [x2, y] nearer to the solution. Every row of `p1` [x1, y] and `p2` [x2, y] must hold something.

    Args:
        r, v: where to start.
        tol: nats; how near is near enough.
    """
    # At these sizes threads cost more than they bring; what overflows ends as not a number, and is refused by `solver`.
    with one_thread("blas"), np.errstate(all="ignore"):
        return _finish(p1, p2, r, v, tol)


def _finish(p1: np.ndarray, p2: np.ndarray, r: np.ndarray, v: np.ndarray, tol: float) -> tuple[np.ndarray, np.ndarray]:
    rows, labels = p1.shape
    used = np.concatenate([p1.ravel(), p2.ravel()]) > 0  # where P is 0, U or V is 0 and no variable
    a, b = np.log(p1 / (r @ v)), np.log(v)
    together = _bound(a, b)
    met = np.isfinite(together)  # pairs that share an outcome
    a = a - np.where(met, together, -np.inf).max(axis=1)[:, None] - 1e-4  # strictly inside
    r = np.where(met, np.maximum(r, 1e-12), 0.0)
    for _ in range(STEPS):
        h = _bound(a, b)
        slack = np.where(met, -h, 1.0)
        weights = np.exp(a[:, None] + b[None] - np.where(met, h, 0.0)[:, :, None])  # [x1, x2, y], sums to 1 over y
        share = r[:, :, None] * weights
        missing = np.concatenate([(p1 - share.sum(1)).ravel(), (p2 - share.sum(0)).ravel()])
        open_ = float((r * slack).sum())
        if open_ < tol / 4 and np.abs(missing).sum() < tol / 4:
            break
        target = CENTRING * open_ / met.sum()
        pull = np.where(met, target / slack, 0.0)[:, :, None] * weights
        wanted = np.concatenate([(p1 - pull.sum(1)).ravel(), (p2 - pull.sum(0)).ravel()])
        curve = _curvature(share, np.where(met, r / slack - r, 0.0), weights)[np.ix_(used, used)]
        curve[np.diag_indices_from(curve)] *= 1 + 1e-12
        curve[np.diag_indices_from(curve)] += 1e-14  # a and b can trade a constant for each outcome
        move = np.zeros(used.size)
        try:
            move[used] = np.linalg.solve(curve, wanted[used])
        except np.linalg.LinAlgError:
            break
        da, db = move[: rows * labels].reshape(p1.shape), move[rows * labels :].reshape(p2.shape)
        tilt = (weights * (da[:, None] + db[None])).sum(axis=2)
        dr = np.where(met, target / slack - r + r / slack * tilt, 0.0)
        step = min(1.0, SHORT_OF / max(1e-300, float(np.max(-dr / np.where(r > 0, r, 1.0)))))
        while step > 1e-10 and (_bound(a + step * da, b + step * db) > -(1 - SHORT_OF) * slack)[met].any():
            step *= 0.7
        a, b, r = a + step * da, b + step * db, r + step * dr
    return r, np.exp(b)


def _bound(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """log sum_y exp(a + b), [x1, x2]; minus infinity where no outcome is shared."""
    top = (a.max(axis=1)[:, None], b.max(axis=1)[:, None])
    return np.log(np.exp(a - top[0]) @ np.exp(b - top[1]).T) + top[0] + top[1].T


def _curvature(share: np.ndarray, extra: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Of the barrier in (a, b): the sum over pairs of R diag(w) + c w w', a's variables before b's."""
    rows, columns, labels = weights.shape
    scaled = extra[:, :, None] * weights
    across = np.einsum("ijy,ijz->iyjz", scaled, weights)
    diagonal = np.arange(labels)
    across[:, diagonal, :, diagonal] += share.transpose(2, 0, 1)
    whole = np.zeros(((rows + columns) * labels,) * 2)
    split = rows * labels
    whole[:split, split:] = across.reshape(split, -1)
    whole[split:, :split] = whole[:split, split:].T
    first = np.swapaxes(scaled, 1, 2) @ weights  # [x1, y, y]
    second = np.einsum("ijy,ijz->jyz", scaled, weights)
    for index in range(rows):
        part = slice(index * labels, (index + 1) * labels)
        whole[part, part] = first[index] + np.diag(share[index].sum(axis=0))
    for index in range(columns):
        part = slice(split + index * labels, split + (index + 1) * labels)
        whole[part, part] = second[index] + np.diag(share[:, index].sum(axis=0))
    return whole
