"""Which models are measured, and before which questions: wirings, planted truths, and models of graded use."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from vlmlens.lab.weights import LabName
from vlmlens.models import lab_models
from vlmlens.rulers.ensemble import Ensemble, hinted, lab_ensemble, padded
from vlmlens.rulers.truth import TRUTHS

Group = Literal["wiring", "planted", "graded"]
DIALS = (0.0, 0.25, 0.5, 0.75, 1.0)
PADDING = (0, 3, 6, 10, 20)  # words; of what attends to patches 0.35 nats are lost a word


@dataclass(frozen=True)
class Subject:
    """One model before one ensemble."""

    model: str
    group: Group
    family: str  # what shares a color on the chart: the wiring, or the dial that is turned
    seed: int = 0
    dial: float = 0.0  # how far its sight is turned down; of graded subjects
    told: str = ""  # what is asked otherwise, in words

    @property
    def key(self) -> str:
        return f"{self.model}{f' ({self.told})' if self.told else ''}"

    def ensemble(self) -> Ensemble:
        if self.family == "hint":
            return lab_ensemble(around=hinted, told=", a note that names a color before each")
        if self.family == "padding":
            words = int(self.dial)
            return lab_ensemble(around=padded(words), told=f", {words} words of filler before each")
        return lab_ensemble()


def wirings(seeds: Sequence[int] | None = None) -> tuple[Subject, ...]:
    """The lab's trained models whose weights are here, the first seed of all wirings first."""
    found = []
    for listed in lab_models(every_seed=True):
        name = LabName.parse(listed.name)
        if listed.present and (seeds is None or name.seed in seeds):
            found.append(Subject(listed.name, "wiring", name.kind, name.seed))
    return tuple(sorted(found, key=lambda subject: subject.seed))


def planted() -> tuple[Subject, ...]:
    return tuple(Subject(name, "planted", "planted") for name in TRUTHS)


def graded() -> tuple[Subject, ...]:
    """The same wiring with its use of the picture turned down step by step: overruled by a note, or faded by words."""
    hints = (
        Subject(f"planted:text-overrides@{dial:g}" if dial < 1 else "planted:text-overrides", "graded", "hint", 0, dial)
        for dial in DIALS
    )
    faded = (
        Subject("planted:decays", "graded", "padding", 0, float(words), f"{words} words before") for words in PADDING
    )
    return (*hints, *faded)


def subjects() -> tuple[Subject, ...]:
    """All of them, in the order in which they are measured."""
    return (*planted(), *graded(), *wirings())
