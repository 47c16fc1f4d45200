"""What every test works with: one model, one probe set, the answers to its items, and resampled pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image

from vlmlens.diagnostics.crossed import Runner
from vlmlens.diagnostics.noise import noise_floor
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.statistics import resampled
from vlmlens.models import VLM, Picture


@dataclass(frozen=True, eq=False)
class Bench:
    """Distributions are natural logs over the probe set's vocabulary, [..., option]; other options are -inf."""

    vlm: VLM
    probe: ProbeSet
    runner: Runner
    seed: int

    @cached_property
    def images(self) -> tuple[Image.Image, ...]:
        """The pictures with the pixels that this model gets, so that changed ones differ by the change alone."""
        return tuple(map(self.vlm.image, self.probe.pictures))

    @cached_property
    def items(self) -> np.ndarray:
        """int [item, 2]: picture and question."""
        return self.probe.items

    @cached_property
    def of_question(self) -> np.ndarray:
        """bool [question, option]: which options belong to a question."""
        vocabulary = self.probe.vocabulary
        return np.array([[option in options for option in vocabulary] for options in self.probe.options])

    @cached_property
    def truth(self) -> np.ndarray:
        """The true option of each item, int [item]; -1 where it is not known."""
        vocabulary = self.probe.vocabulary
        found = [self.probe.answers.get((int(p), int(q))) for p, q in self.items]
        return np.array([vocabulary.index(answer) if answer in vocabulary else -1 for answer in found])

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each picture is drawn in each resample, [resample, picture]."""
        return resampled(len(self.probe.pictures), self.seed)

    @cached_property
    def clean(self) -> np.ndarray:
        """The answers to all items as they are, [item, option]."""
        pictures = [self.probe.pictures[p] for p, _ in self.items]
        return self.ask(pictures, [self.probe.questions[q] for _, q in self.items], self.items[:, 1])

    @cached_property
    def noise(self) -> float:
        """The noise floor, bits."""
        return noise_floor(self)

    @cached_property
    def right(self) -> np.ndarray:
        """Whether the most probable option is the true one, bool [item]; False where truth is not known."""
        found: np.ndarray = self.clean.argmax(axis=1) == self.truth
        return found

    def ask(
        self, pictures: Sequence[Picture], texts: Sequence[str], questions: Sequence[int] | np.ndarray
    ) -> np.ndarray:
        """Pairs of picture and text, answered among the options of their questions, [pair, option]."""
        among = [self.probe.options[q] for q in questions]
        return self.among(self.runner.mass(pictures, texts, among), questions)

    def among(self, mass: np.ndarray, questions: Sequence[int] | np.ndarray) -> np.ndarray:
        """Log probabilities of options [pair, option], each row divided by what its question's options have."""
        masked = np.where(self.of_question[np.asarray(questions)], mass, -np.inf)
        found: np.ndarray = masked - np.logaddexp.reduce(masked, axis=1, keepdims=True)
        return found

    def sample(self, items: np.ndarray, most: int) -> np.ndarray:
        """At most so many of some items, int [item], evenly over pictures, the same for the same seed."""
        if len(items) <= most:
            return items
        rng = np.random.default_rng([17, self.seed])
        turn = np.zeros(len(items), int)  # the how-manieth of its picture each is, in random order
        seen: dict[int, int] = {}
        for index in rng.permutation(len(items)):
            picture = int(self.items[items[index], 0])
            turn[index] = seen.get(picture, 0)
            seen[picture] = turn[index] + 1
        order = np.lexsort((rng.random(len(items)), turn))
        return np.sort(items[order[:most]])
