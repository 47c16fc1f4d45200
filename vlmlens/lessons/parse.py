"""From a file to a lesson, or to every reason why it is none, each with file and line.

    lesson = read(Path("assets/lessons/sinks.md"))
    parse(text, "sinks.md")

The form of a file is told in docs/lessons.md.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from vlmlens.lessons.figures import FIGURES, FigureError
from vlmlens.lessons.lesson import KINDS, LEVELS, Call, Kind, Lesson, LessonError, Slider, Step
from vlmlens.lessons.rules import NAME, Rule, RuleError
from vlmlens.lessons.text import Body

FRONT = ("title", "question", "level", "minutes")
# What may stand under a heading, by kind of step; with * it must.
DIRECTIVES: Mapping[str, tuple[str, ...]] = {
    "pose": ("figure",),
    "predict": ("right*", "slider"),
    "reveal": ("figure*",),
    "explain": ("figure",),
    "try": ("figure*", "change*"),
}
MOST_BYTES = 200_000
_HEADING = re.compile(r"##\s+(.*)")
_DIRECTIVE = re.compile(r"([a-z]+):\s*(.*)")
_OPTION = re.compile(r"-\s+([a-z][a-z0-9_]*):\s+(.+)")
_SLIDER = re.compile(r"(\S+) to (\S+) step (\S+)(?:\s+(.+))?")

Numbered = tuple[int, str]


class Problems:
    """What is wrong with a file so far."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.found: list[tuple[int, str]] = []
        self.unread = False  # whether a figure could not be read, so that its numbers are not known

    def __call__(self, line: int, told: str) -> None:
        self.found.append((line, " ".join(told.split())))  # a quotation may break a line, a problem has one

    def raise_any(self) -> None:
        if self.found:
            ordered = dict.fromkeys(sorted(self.found, key=lambda problem: problem[0]))
            raise LessonError("\n".join(f"{self.where}, line {line}: {told}" for line, told in ordered))


@dataclass
class Section:
    """A heading and what stands under it."""

    line: int
    heading: str
    lines: list[Numbered]


def read(path: Path, where: str = "") -> Lesson:
    """The lesson of a file. Raises LessonError."""
    where = where or path.name
    try:
        raw = path.read_bytes()
        if len(raw) > MOST_BYTES:
            raise LessonError(
                f"{where}, line 1: the file is too large for a lesson; {MOST_BYTES // 1000} kB are enough."
            )
        text = raw.decode("utf-8")
    except OSError as error:
        raise LessonError(f"{where}: the file cannot be read ({error.strerror or type(error).__name__}).") from error
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise LessonError(f"{where}, line {line}: this is no text in UTF-8; save the file as UTF-8.") from error
    return parse(text, where, path.stem)


def parse(text: str, where: str = "lesson", name: str = "lesson") -> Lesson:
    """The lesson of a text. Raises LessonError with everything that is wrong, line by line."""
    problem = Problems(where)
    lines = list(enumerate(text.splitlines(), 1))
    front, rest = _front(lines, problem)
    sections = list(_sections(rest, problem))
    notes = [section for section in sections if section.heading.split(":")[0].strip() == "teacher"]
    steps = [step for section in sections if section not in notes and (step := _step(section, problem)) is not None]
    lesson = Lesson(
        name,
        where,
        front.get("title", ""),
        front.get("question", ""),
        front.get("level", LEVELS[0]),
        int(front.get("minutes", "0")),
        tuple(steps),
        "\n".join(line for note in notes for _, line in note.lines).strip(),
    )
    last = lines[-1][0] if lines else 1
    for kind in ("pose", "predict", "reveal", "explain"):
        if kind not in {step.kind for step in steps} and not any(s.heading.startswith(f"{kind}:") for s in sections):
            problem(last, f"the lesson has no step “{kind}”; it needs pose, predict, reveal and explain.")
    _names(lesson, problem)
    problem.raise_any()
    return lesson


def _front(lines: list[Numbered], problem: Problems) -> tuple[dict[str, str], list[Numbered]]:
    """The fields between the first two lines of dashes, and what follows."""
    if not lines or lines[0][1].strip() != "---":
        problem(1, "a lesson begins with a line “---”, then title, question, level and minutes, then “---”.")
        return {}, lines
    end = next((i for i, (_, line) in enumerate(lines[1:], 1) if line.strip() == "---"), None)
    if end is None:
        problem(1, "the front part has no end; put a line “---” after it.")
        return {}, []
    found: dict[str, str] = {}
    for number, line in lines[1:end]:
        if not line.strip():
            continue
        field = _DIRECTIVE.fullmatch(line.strip())
        if field is None or field[1] not in FRONT:
            problem(number, f"“{line.strip()}” is no field of the front part; there are: {', '.join(FRONT)}.")
        elif field[1] in found:
            problem(number, f"{field[1]} is said twice.")
        elif field[1] == "minutes" and not (field[2].isdecimal() and 0 < int(field[2]) <= 120):
            problem(number, f"minutes: a whole number from 1 to 120 is needed, got “{field[2]}”.")
        elif field[1] == "level" and field[2] not in LEVELS:
            problem(number, f"level: there is no “{field[2]}”; there are: {', '.join(LEVELS)}.")
        else:
            found[field[1]] = field[2]
    said = {line.split(":")[0].strip() for _, line in lines[1:end]}
    for name in FRONT:
        if name not in said or (name in ("title", "question") and not found.get(name, "x")):
            problem(lines[end][0], f"the front part has no {name}.")
    return found, lines[end + 1 :]


def _sections(lines: list[Numbered], problem: Problems) -> Iterator[Section]:
    section: Section | None = None
    for number, line in lines:
        if heading := _HEADING.fullmatch(line):
            if section is not None:
                yield section
            section = Section(number, heading[1].strip(), [])
        elif section is not None:
            section.lines.append((number, line))
        elif line.strip():
            problem(number, f"“{line.strip()[:40]}” stands before the first step; steps begin with “## pose: title”.")
    if section is not None:
        yield section


def _step(section: Section, problem: Problems) -> Step | None:
    """A section as a step; None where its heading names no kind of step."""
    kind_said, colon, title = (part.strip() for part in section.heading.partition(":"))
    if kind_said not in KINDS or not colon or not title:
        problem(
            section.line,
            f"“## {section.heading}” is no step; write “## kind: title” with one of {', '.join(KINDS)}, teacher.",
        )
        return None
    kind: Kind = next(each for each in KINDS if each == kind_said)
    said, lines = _directives(section, kind, problem)
    options, lines = _options(lines, problem) if kind == "predict" else ({}, lines)
    call = _call(*said["figure"], problem) if "figure" in said else None
    slider = _slider(*said["slider"], problem) if "slider" in said else None
    rule = _rule(*said["right"], problem) if "right" in said else None
    change: tuple[str, ...] = ()
    if "change" in said:
        line, text = said["change"]
        change = tuple(part.strip() for part in text.split(",") if part.strip())
        if call is not None and (unknown := [name for name in change if name not in call.settings]):
            has = ", ".join(call.settings) or "none"
            problem(line, f"figure “{call.figure}” has no parameter “{unknown[0]}” to change; there are: {has}.")
    body = Body.read(lines, problem)
    if not body.paragraphs:
        problem(section.line, f"the step “{title}” says nothing; put a paragraph under it.")
    step = Step(kind, title, section.line, body, call, options, slider, rule, change)
    if kind == "predict":
        _prediction(step, said, problem)
    return step


def _directives(section: Section, kind: Kind, problem: Problems) -> tuple[dict[str, Numbered], list[Numbered]]:
    """The `key: value` lines right under a heading, and the lines that follow them."""
    allowed = {name.rstrip("*"): name.endswith("*") for name in DIRECTIVES[kind]}
    found: dict[str, Numbered] = {}
    lines = section.lines
    while lines and lines[0][1].strip():
        number, line = lines[0]
        said = _DIRECTIVE.fullmatch(line.strip())
        if said is None or said[1] == "otherwise":
            break
        if said[1] not in allowed:
            has = ", ".join(allowed)
            problem(
                number, f"“{said[1]}:” means nothing under “{kind}”; there are: {has}. Text begins after a blank line."
            )
        elif said[1] in found:
            problem(number, f"{said[1]} is said twice in this step.")
        else:
            found[said[1]] = (number, said[2])
        lines = lines[1:]
    for name, needed in allowed.items():
        if needed and name not in found:
            problem(section.line, f"the step “{section.heading}” has no “{name}:” under its heading.")
    return found, lines


def _options(lines: list[Numbered], problem: Problems) -> tuple[dict[str, str], list[Numbered]]:
    """Options of a prediction, `- name: words`, and the other lines."""
    found: dict[str, str] = {}
    rest = []
    for number, line in lines:
        option = _OPTION.fullmatch(line.strip())
        if option is None:
            rest.append((number, line))
        elif option[1] in found:
            problem(number, f"there are two options “{option[1]}”.")
        else:
            found[option[1]] = option[2]
    return found, rest


def _prediction(step: Step, said: Mapping[str, Numbered], problem: Problems) -> None:
    """Options or a slider, and a rule that can decide between them."""
    if step.slider is None and "slider" not in said and len(step.options) < 2:
        problem(step.line, "a prediction needs two options at least (“- name: words”), or “slider: 0 to 1 step 0.05”.")
    if step.slider is not None and step.options:
        problem(step.line, "a prediction has options or a slider, not both.")
    if step.rule is None:
        return
    line = said["right"][0]
    if step.slider is not None and not step.rule.near:
        problem(line, "the right place on a slider is near a number; write “right: share within 0.1”.")
    if step.slider is None and step.rule.near:
        problem(line, "nearness to a number needs a slider; write “slider: 0 to 1 step 0.05”.")
    if unknown := [option for option in step.rule.options if option not in step.options]:
        has = ", ".join(step.options) or "none"
        problem(line, f"the rule decides for “{unknown[0]}”, which is no option; there are: {has}.")


def _call(line: int, text: str, problem: Problems) -> Call | None:
    """`name key=value key="value with spaces"`."""
    call = _called(line, text, problem)
    problem.unread |= call is None
    return call


def _called(line: int, text: str, problem: Problems) -> Call | None:
    try:
        name, *pairs = shlex.split(text) or [""]
    except ValueError:
        problem(line, f"the figure’s parameters cannot be read: a quotation mark is left open in “{text}”.")
        return None
    if name not in FIGURES:
        near = get_close_matches(name, FIGURES, 1)
        hint = f" Did you mean “{near[0]}”?" if near else ""
        problem(line, f"no figure is named “{name}”; there are: {', '.join(FIGURES)}.{hint}")
        return None
    given: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not NAME.fullmatch(key):
            problem(line, f"“{pair}” is no parameter; write name=value.")
            return None
        given[key] = value
    try:
        return Call(name, FIGURES[name].settings(given), line)
    except FigureError as error:
        problem(line, str(error))
        return None


def _slider(line: int, text: str, problem: Problems) -> Slider | None:
    try:
        found = _SLIDER.fullmatch(text)
        low, high, step = (float(found[i]) for i in (1, 2, 3)) if found else (0.0, 0.0, 0.0)
    except ValueError:
        found = None
    if found is None or not low < high or not 0 < step <= high - low:
        problem(line, f"“{text}” is no slider; write for instance “slider: 0 to 1 step 0.05 bits”.")
        return None
    return Slider(low, high, step, found[4] or "")


def _rule(line: int, text: str, problem: Problems) -> Rule | None:
    try:
        return Rule.read(text)
    except RuleError as error:
        problem(line, str(error))
        return None


def _names(lesson: Lesson, problem: Problems) -> None:
    """Every number that is spoken of must be one of the figure's, and every prediction must be settled."""
    for index, step in enumerate(lesson.steps):
        call = lesson.call_of(index)
        if step.kind == "predict" and not any(later.kind == "reveal" for later in lesson.steps[index + 1 :]):
            problem(step.line, f"the prediction “{step.title}” is never revealed; put a reveal step after it.")
            continue
        if call is None and step.kind in ("reveal", "try", "predict"):
            continue  # whose figure cannot be read; that is told already
        for line, name in step.body.names:
            _known(line, name, lesson.spoken_of(index), problem)
        if step.rule is not None:
            for name in step.rule.names:
                _known(step.line, name, call, problem)


def _known(line: int, name: str, call: Call | None, problem: Problems) -> None:
    if call is None and problem.unread:
        return
    if call is None:
        problem(line, f"“{name}” is a number of no figure; there is no figure before this step.")
    elif name not in FIGURES[call.figure].numbers:
        has = ", ".join(FIGURES[call.figure].numbers)
        problem(line, f"figure “{call.figure}” has no number “{name}”; there are: {has}.")
