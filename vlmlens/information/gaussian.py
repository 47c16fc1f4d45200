"""Two noisy views of a Gaussian target: the decomposition in closed form, and samples to try an estimator on.

Y, X1, X2 are jointly Gaussian with unit variances, correlations r1 of X1 and r2 of X2 with Y, and c between X1 and X2.
For a one-dimensional target the weaker source holds nothing unique (Barrett, Physical Review E 91, 2015): redundancy is
the smaller of I(X1; Y) and I(X2; Y).
"""

import numpy as np

from vlmlens.information.solver import InformationError


def gaussian(r1: float, r2: float, c: float = 0.0) -> tuple[float, float, float, float]:
    """Unique to X1, unique to X2, redundant, synergistic, in bits.

    Raises:
        InformationError: three correlations that no distribution has.
    """
    _covariance(r1, r2, c)
    one, two = (-0.5 * np.log2(1 - r * r) for r in (r1, r2))
    explained = (r1 * r1 + r2 * r2 - 2 * r1 * r2 * c) / (1 - c * c)  # of Y's variance, by both
    shared = min(one, two)
    return float(one - shared), float(two - shared), float(shared), float(-0.5 * np.log2(1 - explained) - max(one, two))


def sample_gaussian(
    n: int, r1: float, r2: float, c: float = 0.0, bins: int = 8, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X1 and X2 as features [n, 1], Y in `bins` equally likely bins [n]. Binning and clustering lose information."""
    if n < bins:
        raise InformationError(f"n: {bins} bins take at least as many samples, got {n}.")
    values = np.random.default_rng(seed).multivariate_normal(np.zeros(3), _covariance(r1, r2, c), n)
    y = values[:, 2].argsort().argsort() * bins // n
    return values[:, :1], values[:, 1:2], y


def _covariance(r1: float, r2: float, c: float) -> np.ndarray:
    matrix = np.array([[1.0, c, r1], [c, 1.0, r2], [r1, r2, 1.0]])
    if not np.isfinite(matrix).all() or np.linalg.eigvalsh(matrix)[0] <= 1e-9:
        raise InformationError(
            f"No Gaussian has the correlations r1 = {r1}, r2 = {r2}, c = {c}; bring them closer to 0."
        )
    return matrix
