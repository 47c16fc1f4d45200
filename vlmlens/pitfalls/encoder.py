"""Collapsed vision encoder: do different pictures look alike to what comes after the eyes?"""

import numpy as np

from vlmlens.pitfalls.evidence import Evidence
from vlmlens.pitfalls.finding import RESAMPLES, Detector, Finding, judged, not_applicable

ALIKE = 0.98
FEWEST = 8  # pictures


def participation(features: np.ndarray) -> float:
    """Dimensions that features [picture, feature] spread over: (sum of eigenvalues)^2 / sum of their squares."""
    centred = features - features.mean(axis=0)
    gram = centred @ centred.T
    total = float(np.trace(gram))
    return total**2 / float((gram**2).sum()) if total > 0 else 0.0


def cosines(features: np.ndarray) -> np.ndarray:
    """[picture, picture]"""
    unit = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-12)
    found: np.ndarray = unit @ unit.T
    return found


def mean_between(alike: np.ndarray, seed: int) -> tuple[float, tuple[float, float]]:
    """Mean over pairs of different pictures, and its 95 % interval by resampling pictures."""
    count = len(alike)
    drawn = np.random.default_rng([41, seed]).multinomial(count, np.full(count, 1 / count), RESAMPLES)
    weights = np.vstack([np.ones(count), drawn])
    between = alike - np.diag(np.diag(alike))
    pairs = weights.sum(axis=1) ** 2 - (weights**2).sum(axis=1)  # a picture drawn twice is no pair
    sums = np.einsum("bi,ij,bj->b", weights, between, weights)
    means = sums[pairs > 0] / pairs[pairs > 0]  # of few pictures, a resample may be one alone
    low, high = np.quantile(means[1:], (0.025, 0.975))
    return float(means[0]), (float(low), float(high))


def find(evidence: Evidence) -> Finding:
    features = evidence.features
    if len(features) < FEWEST:
        return not_applicable(f"It takes {FEWEST} different pictures; the probe set has {len(features)}.")
    alike = cosines(features)
    number, (low, high) = mean_between(alike, evidence.seed)
    spread = participation(features)
    return Finding(
        judged((low, high), ALIKE, ill_above=True),
        f"The features of two different pictures have a cosine of {number:.3f} (95 % interval {low:.3f} to "
        f"{high:.3f}); what differs spreads over {spread:.1f} of at most {len(features) - 1} dimensions.",
        number,
        (low, high),
        len(features),
        {"alike": alike.tolist(), "participation": spread},
    )


DETECTOR = Detector(
    "collapsed vision encoder",
    "Do different pictures look alike to the model?",
    "cosine",
    f"found where the mean cosine of two pictures' features is above {ALIKE:g}, not found where it is below",
    "Train the encoder so that different pictures are told apart.",
    ("contrastive loss", "hard negatives"),
    find,
)
