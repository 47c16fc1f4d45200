"""Features as a few discrete states: reduced, and clustered on samples that are not counted."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA

from vlmlens.information.solver import InformationError
from vlmlens.threads import one_thread

K = 8  # clusters, where nobody says otherwise
COMPONENTS = 10  # of PCA
MINI_BATCH_FROM = 10_000  # samples


@dataclass(frozen=True, eq=False)
class Clusters:
    """A PCA and k centres, fitted once. `of` gives every sample the number of its nearest centre."""

    mean: np.ndarray  # [width]
    axes: np.ndarray  # [component, width]
    centres: np.ndarray  # [cluster, component]

    @classmethod
    def fit(cls, features: np.ndarray, k: int = K, components: int = COMPONENTS, seed: int = 0) -> "Clusters":
        """From features [sample, width].

        Raises InformationError for fewer samples than clusters, features that are not numbers, or constant ones.
        """
        features = checked(features)
        if k < 2:
            raise InformationError(f"k: at least 2 clusters tell anything apart, got {k}.")
        if len(features) < k:
            raise InformationError(f"{len(features)} samples cannot form k = {k} clusters; add samples or lower k.")
        distinct = np.unique(features, axis=0)
        if len(distinct) < 2:
            raise InformationError("The features are the same for every sample; they can tell nothing apart.")
        k = min(k, len(distinct))
        components = min(components, features.shape[1], len(features))
        method: Any = MiniBatchKMeans if len(features) >= MINI_BATCH_FROM else KMeans
        with one_thread("openmp"), one_thread("blas"):
            reduced = PCA(components, random_state=seed).fit(features)
            means = method(k, n_init=4, random_state=seed).fit(reduced.transform(features))
        return cls(reduced.mean_, reduced.components_, means.cluster_centers_)

    def of(self, features: np.ndarray) -> np.ndarray:
        """The nearest centre of each sample, int [sample], for features [sample, width]."""
        features = checked(features)
        if features.shape[1] != len(self.mean):
            raise InformationError(f"Clusters of width {len(self.mean)} were given features of {features.shape[1]}.")
        reduced = (features - self.mean) @ self.axes.T
        far = (self.centres**2).sum(axis=1) - 2 * reduced @ self.centres.T  # less what all centres share
        return far.argmin(axis=1)


def checked(features: np.ndarray) -> np.ndarray:
    """Float64 [sample, width]; InformationError where they are anything else."""
    features = np.asarray(features, np.float64)
    if features.ndim != 2:
        raise InformationError(f"Features have the axes [sample, width]; got shape {list(features.shape)}.")
    if not np.isfinite(features).all():
        raise InformationError("Features hold entries that are not finite numbers.")
    return features
