"""What the tests reckon with: divergences, resampled pictures, sign flips, counts and many tests at once."""

from math import comb

import numpy as np

LEVEL = 0.05
RESAMPLES = 2000


def entropy(p: np.ndarray) -> np.ndarray:
    """Bits, of distributions [..., answer] to [...]."""
    logs = np.log2(p, out=np.zeros_like(p), where=p > 0)
    found: np.ndarray = -(p * logs).sum(axis=-1)
    return found


def jensen_shannon(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """Divergence in bits, 0 to 1, of distributions [..., answer] to [...]."""
    return np.maximum(entropy((p + q) / 2) - (entropy(p) + entropy(q)) / 2, 0.0)


def resampled(pictures: int, seed: int) -> np.ndarray:
    """How often each picture is drawn in each resample, float [resample, picture]; the same for the same seed."""
    rng = np.random.default_rng([11, seed])
    return rng.multinomial(pictures, np.full(pictures, 1 / pictures), size=RESAMPLES).astype(float)


def mean_draws(values: np.ndarray, picture: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The mean of items' values [item] in every resample of their pictures, [resample].

    A resample without any item (few pictures have one) repeats the mean itself.
    """
    count = np.bincount(picture, minlength=weights.shape[1])
    total = np.bincount(picture, values, minlength=weights.shape[1])
    drawn = weights @ count
    found: np.ndarray = np.divide(weights @ total, drawn, out=np.full(len(weights), values.mean()), where=drawn > 0)
    return found


def interval(draws: np.ndarray) -> tuple[float, float]:
    """95 %, percentiles."""
    low, high = np.quantile(draws, (LEVEL / 2, 1 - LEVEL / 2))
    return float(low), float(high)


def p_above(draws: np.ndarray, threshold: float) -> float:
    """One-sided: how often a resample is not above the threshold; never 0, for resamples are finitely many."""
    return float((1 + np.count_nonzero(draws <= threshold)) / (1 + len(draws)))


def independent(values: np.ndarray, picture: np.ndarray, weights: np.ndarray) -> float:
    """As how many independent items of yes or no these count: fewer where a picture's items agree (Kish, 1965)."""
    share, n = float(values.mean()), len(values)
    if not 0 < share < 1:
        return float(n)
    alone = share * (1 - share) / n
    return n / max(1.0, float(mean_draws(values, picture, weights).var()) / alone)


def sign_flip(values: np.ndarray, picture: np.ndarray, seed: int) -> float:
    """One-sided p of a mean above 0, were the sign of each picture's sum as likely the other."""
    sums = np.bincount(picture, values)
    signs = np.random.default_rng([13, seed]).choice((-1.0, 1.0), size=(RESAMPLES, len(sums)))
    return float((1 + np.count_nonzero(signs @ sums >= sums.sum() - 1e-12)) / (1 + RESAMPLES))


def binomial_tail(n: int, least: int, p: float = 0.5) -> float:
    """P(at least so many of n), exact."""
    return float(sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(least, n + 1)))


def sign_test_size(share: float, level: float = LEVEL, power: float = 0.8) -> int:
    """The fewest items with which a one-sided sign test against 1/2 finds a true `share` so often."""
    n = 1
    while True:
        needed = next((k for k in range(n + 1) if binomial_tail(n, k) <= level), None)
        if needed is not None and binomial_tail(n, needed, share) >= power:
            return n
        n += 1


def mean_size(effect: float, spread: float, level_z: float = 1.96, power_z: float = 0.84) -> int:
    """The items with which a mean of `effect` and standard deviation `spread` is told from 0 in 80 % of tries."""
    return int(np.ceil(((level_z + power_z) * spread / effect) ** 2))


def benjamini_hochberg(p: list[float]) -> list[float]:
    """Adjusted p values (q), in the order given (Benjamini and Hochberg, 1995)."""
    order = sorted(range(len(p)), key=p.__getitem__)
    found, least = [1.0] * len(p), 1.0
    for rank in range(len(p), 0, -1):
        index = order[rank - 1]
        least = min(least, p[index] * len(p) / rank)
        found[index] = least
    return found
