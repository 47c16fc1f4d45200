"""Representational PID of a model, growing with the probe set: what its own states tell about its answers.

    running = Running(k=8)
    for part in vlm.read(pictures, questions):
        running.add(part)
        running.estimates()          # one for each reading point
    Running(k=5, parts=running.parts).estimates()      # another k, the same data

After Amit et al. (arXiv 2511.19470): X1 and X2 are clusters of the pooled image and question states at a reading point,
Y is the model's answer. Clusters are fitted on every other item and applied to those between.
"""

from collections.abc import Iterable

import numpy as np

from vlmlens.information.clusters import Clusters, K
from vlmlens.information.estimate import DRAWS, Estimate, of_samples
from vlmlens.information.samples import BLOCKS, Samples
from vlmlens.information.solver import InformationError
from vlmlens.models.many import Readings

REFIT = 2.0  # clusters are fitted anew once so many times the items are there


class Running:
    """Everything read so far. Not shared between threads."""

    def __init__(self, k: int = K, seed: int = 0, parts: Iterable[Readings] = ()) -> None:
        self.k, self.seed = k, seed
        self.parts: list[Readings] = []
        self.n = 0
        self._clusters: list[tuple[Clusters, Clusters]] = []
        self._fitted = 0  # items that were there when clusters were fitted
        self._labels: list[list[np.ndarray]] = []  # by part: int [point, side, counted item]
        for part in parts:
            self.add(part)

    @property
    def points(self) -> tuple[str, ...]:
        return self.parts[0].points if self.parts else ()

    def add(self, part: Readings) -> None:
        self.parts.append(part)
        self.n += len(part)

    def estimates(self, point: int | None = None, draws: int = DRAWS, final: bool = False) -> tuple[Estimate, ...]:
        """One estimate for each reading point, or for one only.

        With `final` the clusters are fitted on all there is, so that the result does not depend on how it was added.

        Raises:
            InformationError: too few items, one answer only, constant states.
        """
        if self.n < 4 * BLOCKS:
            raise InformationError(f"{self.n} items so far; {4 * BLOCKS} are the least to begin with.")
        points = range(len(self.points)) if point is None else (point,)
        if final or self.n >= REFIT * self._fitted:
            self._clusters, self._labels = [], []
            self._clusters = [self._fit(index) for index in range(len(self.points))]
            self._fitted = self.n
        counted = self._counted()
        for part, chosen in list(zip(self.parts, counted, strict=True))[len(self._labels) :]:
            self._labels.append(
                [
                    np.stack([one.of(part.image[i][chosen]), two.of(part.question[i][chosen])])
                    for i, (one, two) in enumerate(self._clusters)
                ]
            )
        answers = np.concatenate([part.answers[chosen] for part, chosen in zip(self.parts, counted, strict=True)])
        found = []
        for index in points:
            x1, x2 = np.concatenate([labels[index] for labels in self._labels], axis=1)
            found.append(of_samples(Samples.of(x1, x2, answers), draws, self.seed))
        return tuple(found)

    def _counted(self) -> list[np.ndarray]:
        """Which items of each part are counted: every other one, across parts. The rest forms the clusters."""
        starts = np.cumsum([0, *(len(part) for part in self.parts)])
        return [
            np.arange(start, start + len(part)) % 2 == 1 for start, part in zip(starts[:-1], self.parts, strict=True)
        ]

    def _fit(self, point: int) -> tuple[Clusters, Clusters]:
        counted = self._counted()
        image, question = (
            np.concatenate(
                [getattr(part, side)[point][~chosen] for part, chosen in zip(self.parts, counted, strict=True)]
            )
            for side in ("image", "question")
        )
        return Clusters.fit(image, self.k, seed=self.seed), Clusters.fit(question, self.k, seed=self.seed)
