"""Between a change and its row of controls: what the list shows of it, and what it becomes when they are moved."""

from dataclasses import replace
from typing import Any

from vlmlens.errors import PictureError, QuestionError
from vlmlens.perturb import PERTURBATIONS, TEXT, Option, Step
from vlmlens.ui.counterfactual import donors
from vlmlens.ui.counterfactual.changes import ASK, WORDINGS, Word
from vlmlens.ui.counterfactual.steps import Field, Row

PLACES = (("before", "before the question"), ("after", "after the question"))
MOST_FILLER = 2000
_KINDS = {"whole": "whole", "number": "number", "choice": "choice", "color": "text"}


def row_of_step(step: Step) -> Row:
    row = PERTURBATIONS[step.name]
    fields = [Field("strength", "strength", "range", step.strength)]
    if row.random:
        fields.append(Field("seed", "seed", "whole", step.seed, 0, 2**32 - 1))
    if row.needs_donor:
        names = dict.fromkeys([*donors.names(), step.donor])
        fields.append(
            Field("donor", "from", "choice", step.donor, choices=tuple((n, donors.label(n)) for n in names if n))
        )
    given = dict(step.options)
    fields += [_field(option, given.get(option.name, option.default)) for option in row.options]
    return Row(row.label, row.sentence, "picture", _where(step), tuple(fields))


def _field(option: Option, value: float | str) -> Field:
    if option.kind == "color":
        names = ("", "red", "orange", "yellow", "green", "cyan", "blue", "purple", "black", "white")
        choices = tuple((name, name or "as it comes") for name in dict.fromkeys([*names, str(value)]))
        return Field(option.name, option.label, "choice", str(value), choices=choices)
    choices = tuple((choice, choice) for choice in option.choices)
    return Field(option.name, option.label, _KINDS[option.kind], value, option.low, option.high, choices)  # type: ignore[arg-type]


def _where(step: Step) -> str:
    """Where the step applies, short."""
    if step.region is None:
        return ""
    xs, ys = zip(*step.region.points, strict=True)
    told = f"{step.region.kind} at {_percent(xs)}, {_percent(ys)}"
    return told if step.to is None else f"{told} → {step.to[0]:.0%}, {step.to[1]:.0%}"


def _percent(values: tuple[float, ...]) -> str:
    return f"{(min(values) + max(values)) / 2:.0%}"


def step_of(step: Step, values: dict[str, Any]) -> Step:
    """The step with what its controls say. Raises PictureError in words."""
    row = PERTURBATIONS[step.name]
    given = dict(step.options)
    for option in row.options:
        if option.name in values and values[option.name] != given.get(option.name, option.default):
            value = values[option.name]
            given[option.name] = option.check(_number(value) if option.kind in ("whole", "number") else value)
    changed = replace(
        step,
        strength=round(float(values.get("strength", step.strength)), 4),
        seed=int(_number(values.get("seed", step.seed))),
        donor=str(values.get("donor", step.donor)),
        options=tuple(sorted(given.items())),
    )
    changed.check()
    return changed


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError) as error:
        raise PictureError("A number is missing in the list of changes; type one.") from error
    return int(found) if found == int(found) else found


def row_of_word(word: Word) -> Row:
    if word.name == ASK:
        return Row("Another question", "Asked in the place of yours.", "words", fields=(_text("ask", word.text),))
    row = TEXT[word.name]
    fields: list[Field] = []
    if word.name == "hint":
        fields = [_text("text", word.text), Field("place", "place", "choice", word.place, choices=PLACES)]
    elif word.name == "filler":
        fields = [
            Field("words", "words", "whole", word.words, 0, MOST_FILLER),
            Field("seed", "seed", "whole", word.seed, 0, 2**32 - 1),
            Field("place", "place", "choice", word.place, choices=PLACES),
            _wording(word),
        ]
    elif word.name == "synonym":
        fields = [_wording(word)]
    elif word.name == "options":
        fields = [_text("answers", word.text), Field("seed", "seed", "whole", word.seed, 0, 2**32 - 1)]
    return Row(row.label, row.sentence, "words", fields=tuple(fields))


def _text(label: str, value: str) -> Field:
    return Field("text", label, "text", value)


def _wording(word: Word) -> Field:
    return Field("wording", "in", "choice", word.wording, choices=tuple(WORDINGS.items()))


def word_of(word: Word, values: dict[str, Any]) -> Word:
    """The change of words with what its controls say. Raises QuestionError in words."""
    count = int(_number(values.get("words", word.words)))
    if count > MOST_FILLER:
        raise QuestionError(f"A filler has up to {MOST_FILLER} words.")
    return Word(
        word.name,
        int(_number(values.get("seed", word.seed))),
        str(values.get("text", word.text)),
        str(values.get("place", word.place)),
        count,
        str(values.get("wording", word.wording)),
    )
