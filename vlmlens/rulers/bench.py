"""One model before one ensemble: what several rulers need is computed once, when the first of them asks.

bench = Bench(vlm, lab_ensemble())
bench.traces; bench.found; bench.slopes; bench.estimates
"""

from dataclasses import replace
from functools import cached_property

import numpy as np

from vlmlens.attribution import Case
from vlmlens.errors import NotApplicable
from vlmlens.information.estimate import Estimate
from vlmlens.information.interventional import Interventional, interventional
from vlmlens.information.representational import Running
from vlmlens.models import VLM
from vlmlens.progress import Progress
from vlmlens.rulers.ensemble import Ensemble
from vlmlens.rulers.slopes import Slopes, slopes
from vlmlens.trace import Segment, Trace, Watch

CERTIFIED = 1e-4  # bits


class Bench:
    """Not shared between threads. `span` is the part of the whole work that is being done, for the progress."""

    def __init__(self, vlm: VLM, ensemble: Ensemble, progress: Progress | None = None) -> None:
        self.vlm, self.ensemble, self.progress = vlm, ensemble, progress or Progress()
        self.span, self.doing = (0.0, 1.0), ""

    @property
    def text(self) -> tuple[Segment, ...]:
        """The segments that are the person's words. A template's words are nobody's and count for neither side."""
        planted = self.vlm.info.family == "planted"  # whose context, hints above all, stands in `instruction`
        return (Segment.QUESTION, Segment.INSTRUCTION) if planted else (Segment.QUESTION,)

    @property
    def picture_of(self) -> np.ndarray:
        """Which picture each item shows, int [item]."""
        return self.ensemble.items[:, 0]

    def __len__(self) -> int:
        return len(self.ensemble.items)

    def step(self, done: int, total: int, what: str = "item") -> None:
        """Say how far the part of the work under way is; here the person may pause or stop it."""
        start, end = self.span
        self.progress.step(start + (end - start) * done / max(1, total), f"{self.doing}: {what} {done + 1} of {total}")

    @cached_property
    def traces(self) -> list[Trace]:
        """One for each item, of the row that the answer is read from."""
        found = []
        for index in range(len(self)):
            self.step(index, len(self))
            picture, question = self.ensemble.item(index)
            found.append(self.vlm.inspect(picture, question, watch=Watch(("last",)), new_tokens=0))
        return found

    @cached_property
    def slopes(self) -> list[Slopes]:
        """One for each item. Raises NotApplicable where the picture does not enter as tokens of the sequence."""
        found = []
        for index, trace in enumerate(self.traces):
            self.step(index, len(self))
            picture, question = self.ensemble.item(index)
            found.append(slopes(Case(self.vlm, picture, question, trace), self.text))
        return found

    @cached_property
    def found(self) -> Interventional:
        """Every question asked of every picture."""
        start, end = self.span
        inner = _Part(self.progress, start, end, self.doing)
        pictures, questions = list(self.ensemble.pictures), self.ensemble.questions
        return interventional(
            self.vlm, pictures, questions, ensemble=self.ensemble.words, tol=CERTIFIED, progress=inner
        )

    @cached_property
    def estimates(self) -> tuple[Estimate, ...]:
        """What states and answers of many independent items say, at the first and the last reading point.

        Raises NotApplicable without samples, InformationError where there is nothing to decompose.
        """
        if self.ensemble.samples is None:
            raise NotApplicable(self.ensemble.why_no_samples)
        running = Running()
        pictures, questions = self.ensemble.samples()
        for part in self.vlm.read(pictures, questions):
            ends = [0, len(part.points) - 1]
            points = (part.points[0], part.points[-1])
            running.add(replace(part, points=points, image=part.image[ends], question=part.question[ends]))
            self.step(running.n - 1, len(pictures))
        return running.estimates(final=True)


class _Part(Progress):
    """The progress of a part of some work, handed to what counts from 0 to 1."""

    def __init__(self, whole: Progress, start: float, end: float, doing: str) -> None:
        super().__init__()
        self._whole, self._start, self._end, self._doing = whole, start, end, doing

    def check(self) -> None:
        self._whole.check()

    def step(self, fraction: float, doing: str = "") -> None:
        self._whole.step(self._start + (self._end - self._start) * fraction, f"{self._doing}: {doing}")
