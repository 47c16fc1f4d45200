"""A lesson from start to end without a page: every figure run, every text filled, every prediction judged."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from vlmlens.lessons.figures import FIGURES, Load, Shown
from vlmlens.lessons.lesson import Call, Judged, Lesson, Step
from vlmlens.models import VLM, load
from vlmlens.progress import Progress


@cache
def _loaded(name: str) -> VLM:
    return load(name)


def run(call: Call, load: Load = _loaded, progress: Progress | None = None) -> Shown:
    """The figure of a call, run now. `load` brings a model by its name."""
    return FIGURES[call.figure].run(call.settings, load, progress)


@dataclass(frozen=True)
class Said:
    """One step as a learner meets it."""

    step: Step
    text: str  # Markdown, its numbers filled in
    shown: Shown | None
    judged: dict[str, Judged]  # of a prediction: what each choice would be told, by choice


def walk(lesson: Lesson, load: Load = _loaded, progress: Progress | None = None) -> Iterator[Said]:
    """Every step of a lesson. Raises what the figures raise."""
    kept: dict[object, Shown] = {}

    def shown(call: Call | None) -> Shown | None:
        if call is None:
            return None
        if call.key not in kept:
            kept[call.key] = run(call, load, progress)
        return kept[call.key]

    for number, step in enumerate(lesson.steps):
        found = shown(lesson.spoken_of(number))
        judged: dict[str, Judged] = {}
        if step.kind == "predict":
            truth = shown(lesson.call_of(number))
            assert truth is not None  # the parser has seen to it
            choices = (str(step.slider.low), str(step.slider.high)) if step.slider else tuple(step.options)
            judged = {choice: step.judge(choice, truth.numbers) for choice in choices}
        text = step.body.say(found.numbers if found is not None else {})
        yield Said(step, text, shown(step.call), judged)
