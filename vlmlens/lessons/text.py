"""What a step says: Markdown whose numbers the run fills in, some of it said only when a condition holds.

    body = Body.read([(1, "The picture gets **{share:.0%}**."), (2, ""), (3, "when drop > 0.1: It mattered.")], problem)
    body.say({"share": .31, "drop": .02})

A paragraph that begins with `when CONDITION:` is said where the condition holds; one that begins with `otherwise:`
where none of those directly before it did.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vlmlens.lessons.rules import Condition, Numbers, RuleError

Problem = Callable[[int, str], None]  # line, what is wrong

PLACE = re.compile(r"\{([^{}]*)\}")
_PLACE = re.compile(r"([a-z][a-z0-9_]*)(?::(\+?,?(?:\.\d+)?[%fd]))?")
_WHEN = re.compile(r"when ([^:]+):\s*(.*)", re.S)
_OTHERWISE = re.compile(r"otherwise:\s*(.*)", re.S)
# A measured number looks like one: with a decimal point, or with a percent sign.
_TYPED = re.compile(r"(?<![\w.])\d*\.\d+(?![\w.])|(?<![\w.])\d+(?:\.\d+)?\s?%")
_SPARED = re.compile(r"arXiv \d+\.\d+|`[^`]*`|\{[^{}]*\}")  # a paper, code, a placeholder


@dataclass(frozen=True)
class Paragraph:
    text: str
    line: int  # of the file
    when: Condition | None = None
    otherwise: bool = False


@dataclass(frozen=True)
class Body:
    paragraphs: tuple[Paragraph, ...] = ()

    @classmethod
    def read(cls, lines: Sequence[tuple[int, str]], problem: Problem) -> "Body":
        """Numbered lines to paragraphs; what is wrong is told to `problem`."""
        found: list[Paragraph] = []
        for number, text in _paragraphs(lines):
            when, otherwise = None, False
            if begun := _WHEN.fullmatch(text):
                try:
                    when, text = Condition.read(begun[1]), begun[2]
                except RuleError as error:
                    problem(number, str(error))
            elif begun := _OTHERWISE.fullmatch(text):
                otherwise, text = True, begun[1]
                if not found or not (found[-1].when or found[-1].otherwise):
                    problem(number, "“otherwise:” follows no “when …:”.")
            for typed in _TYPED.findall(_SPARED.sub(" ", text)):
                problem(
                    number,
                    f"the number “{typed.strip()}” is typed; numbers come from the run: write {{name}}, as in "
                    "{share:.0%}.",
                )
            for inside in PLACE.findall(text):
                if not _PLACE.fullmatch(inside):
                    problem(number, f"“{{{inside}}}” is no placeholder; write {{name}}, {{name:.2f}} or {{name:.0%}}.")
            found.append(Paragraph(text, number, when, otherwise))
        return cls(tuple(found))

    @property
    def names(self) -> tuple[tuple[int, str], ...]:
        """(line, name) of every number that is spoken of."""
        return tuple(
            (paragraph.line, name)
            for paragraph in self.paragraphs
            for name in (
                *(paragraph.when.names if paragraph.when else ()),
                *(inside.split(":")[0] for inside in PLACE.findall(paragraph.text)),
            )
        )

    def say(self, numbers: Numbers) -> str:
        """The Markdown of a run with these numbers."""
        said, held = [], False
        for paragraph in self.paragraphs:
            if paragraph.when is not None:
                holds = paragraph.when.holds(numbers)
                held |= holds
            elif paragraph.otherwise:
                holds, held = not held, False
            else:
                holds, held = True, False
            if holds:
                said.append(fill(paragraph.text, numbers))
        return "\n\n".join(said)


def fill(text: str, numbers: Numbers) -> str:
    """`{name}` and `{name:.0%}` by the run's numbers; "n/a" for one that the run could not tell."""

    def one(place: re.Match[str]) -> str:
        found = _PLACE.fullmatch(place[1])
        assert found is not None  # the parser has seen to it
        value = numbers[found[1]]
        if isinstance(value, str):
            return value
        if value != value:
            return "n/a"
        if found[2] is None:
            return f"{value:g}"
        if found[2].endswith("d"):
            return format(round(value), found[2])
        said = format(value, found[2])
        if not found[2].startswith("+") and not any(digit in said for digit in "123456789"):
            said = said.lstrip("-")  # what rounds to zero has no sign
        return said.replace("%", " %")

    return PLACE.sub(one, text)


def _paragraphs(lines: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """Runs of lines that are not blank, with the number of their first."""
    held: list[str] = []
    begun = 0
    for number, line in (*lines, (0, "")):
        if line.strip():
            if not held:
                begun = number
            held.append(line.rstrip())
        elif held:
            yield begun, "\n".join(held)
            held = []
