"""What is a lesson? Steps that pose, let one predict, reveal, explain and let one try, over live figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from vlmlens.errors import UserError
from vlmlens.lessons.rules import Numbers, Rule
from vlmlens.lessons.text import Body

Kind = Literal["pose", "predict", "reveal", "explain", "try"]
KINDS: tuple[Kind, ...] = ("pose", "predict", "reveal", "explain", "try")
LEVELS = ("first steps", "further", "deep")


class LessonError(UserError):
    """A lesson file cannot be read; every line of the message names file and line."""


@dataclass(frozen=True)
class Call:
    """A figure by name, with the parameters that the lesson sets."""

    figure: str
    settings: Mapping[str, str | float]  # complete: what is not named has its default
    line: int

    def changed(self, settings: Mapping[str, str | float]) -> "Call":
        return Call(self.figure, {**self.settings, **settings}, self.line)

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str | float], ...]]:
        """Names the run by content."""
        return self.figure, tuple(sorted(self.settings.items()))


@dataclass(frozen=True)
class Slider:
    low: float
    high: float
    step: float
    unit: str = ""


@dataclass(frozen=True)
class Judged:
    """What a run says to a prediction. `right` is None where the run decides for none."""

    right: bool | None
    sentence: str


@dataclass(frozen=True)
class Step:
    kind: Kind
    title: str
    line: int
    body: Body = field(default_factory=Body)
    call: Call | None = None
    options: Mapping[str, str] = field(default_factory=dict)  # of a prediction: name, words
    slider: Slider | None = None
    rule: Rule | None = None
    change: tuple[str, ...] = ()  # parameters that the learner may change

    def judge(self, choice: str | float, numbers: Numbers) -> Judged:
        """A prediction against the run."""
        assert self.rule is not None
        if self.slider is not None:
            truth, said = self.rule.target(numbers), float(choice)
            if truth != truth:
                return Judged(None, "The run could not tell this number, so no prediction is right or wrong.")
            unit = f" {self.slider.unit}" if self.slider.unit else ""
            near = abs(said - truth) <= self.rule.margin
            word = "Near enough" if near else "Not near"
            return Judged(
                near,
                f"{word}: you said **{said:.2f}**{unit}, the run found **{truth:.2f}**{unit} "
                f"(within {self.rule.margin:g} counts as right).",
            )
        truth_name = self.rule.decide(numbers)
        said_words = self.options[str(choice)]
        if truth_name is None:
            return Judged(None, f"You said “{said_words}”. The run is inconclusive: it decides for none of these.")
        if truth_name == choice:
            return Judged(True, f"As you predicted: “{said_words}”.")
        return Judged(False, f"You predicted “{said_words}”; the run says “{self.options[truth_name]}”.")


@dataclass(frozen=True)
class Lesson:
    name: str  # of the file, without its ending
    where: str  # the file, as errors name it
    title: str
    question: str
    level: str
    minutes: int
    steps: tuple[Step, ...]
    notes: str  # Markdown, for the teacher

    def call_of(self, number: int) -> Call | None:
        """The figure that step `number` (from 0) speaks of: its own; for a prediction the one revealed next; else the
        last one before."""
        step = self.steps[number]
        if step.kind == "predict":
            return next((later.call for later in self.steps[number + 1 :] if later.kind == "reveal"), None)
        return self._last(number + 1)

    def spoken_of(self, number: int) -> Call | None:
        """The figure whose numbers a step's words may use: a prediction knows only what was shown before it."""
        if self.steps[number].kind != "predict":
            return self.call_of(number)
        return self._last(number)

    def _last(self, end: int) -> Call | None:
        """The last figure of the steps before `end`."""
        return next((step.call for step in reversed(self.steps[:end]) if step.call is not None), None)

    def predictions_of(self, number: int) -> tuple[int, ...]:
        """The predictions that the reveal at `number` settles."""
        found: list[int] = []
        for index in range(number - 1, -1, -1):
            if self.steps[index].kind == "reveal":
                break
            if self.steps[index].kind == "predict":
                found.append(index)
        return tuple(reversed(found))

    @property
    def figures(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(step.call.figure for step in self.steps if step.call is not None))
