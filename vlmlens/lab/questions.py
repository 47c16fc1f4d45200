"""The lab's questions: seven kinds, one-word answers, and the exact answer to each on any scene.

A `Question` is about things that match a `Pattern` ("the red one", "circles"). Where a pattern that must name one thing
matches none or several, the question has no answer on that scene and `answer` returns None.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from vlmlens.errors import QuestionError
from vlmlens.lab.scenes import COLORS, SHAPES, SIZES, Scene, Thing

NUMBERS = ("zero", "one", "two", "three", "four", "five")
COLUMNS = ("left", "center", "right")
ROWS = ("top", "middle", "bottom")
YES_NO = ("yes", "no")
ANSWERS = (*COLORS, *SHAPES, *SIZES, *NUMBERS, *COLUMNS, *ROWS, *YES_NO)


@dataclass(frozen=True, slots=True)
class Pattern:
    """Things of one colour, one shape, both, or any."""

    color: str | None = None
    shape: str | None = None

    @property
    def pair(self) -> tuple[str | None, str | None]:
        return self.color, self.shape

    def matches(self, thing: Thing) -> bool:
        return self.color in (None, thing.color) and self.shape in (None, thing.shape)

    def phrase(self, plural: bool = False) -> str:
        noun = (self.shape or "object") + ("s" if plural else "")
        return f"{self.color} {noun}" if self.color else noun


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `about` names the things it speaks of; `axis` is "row" or "column" where place matters."""

    kind: str
    text: str
    candidates: tuple[str, ...]
    about: tuple[Pattern, ...]
    axis: str = ""

    def answer(self, scene: Scene) -> str | None:
        """The true answer, or None where the question makes no sense on this scene."""
        return KINDS[self.kind].answer(self, scene)

    def relevant(self, scene: Scene) -> tuple[int, ...]:
        """The cells that carry the answer: the things that the question speaks of."""
        found = {t.cell for t in scene.things if any(pattern.matches(t) for pattern in self.about)}
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of question: all its instances, and how one is answered."""

    questions: Callable[[], list[Question]]
    answer: Callable[[Question, Scene], str | None]


def _one(pattern: Pattern, scene: Scene) -> Thing | None:
    found = [thing for thing in scene.things if pattern.matches(thing)]
    return found[0] if len(found) == 1 else None


def _attribute(name: str) -> Callable[[Question, Scene], str | None]:
    def answer(question: Question, scene: Scene) -> str | None:
        thing = _one(question.about[0], scene)
        return None if thing is None else getattr(thing, name)

    return answer


def _count(question: Question, scene: Scene) -> str:
    return NUMBERS[sum(question.about[0].matches(thing) for thing in scene.things)]


def _exist(question: Question, scene: Scene) -> str:
    return "yes" if any(question.about[0].matches(thing) for thing in scene.things) else "no"


def _where(question: Question, scene: Scene) -> str | None:
    thing = _one(question.about[0], scene)
    if thing is None:
        return None
    return COLUMNS[thing.column] if question.axis == "column" else ROWS[thing.row]


def _relation(question: Question, scene: Scene) -> str | None:
    first, second = (_one(pattern, scene) for pattern in question.about)
    if first is None or second is None:
        return None
    return "yes" if getattr(first, question.axis) < getattr(second, question.axis) else "no"


BY_COLOR = tuple(Pattern(color=color) for color in COLORS)
BY_SHAPE = tuple(Pattern(shape=shape) for shape in SHAPES)
BY_BOTH = tuple(Pattern(color, shape) for color in COLORS for shape in SHAPES)


def _color_questions() -> list[Question]:
    return [Question("color", f"what color is the {p.phrase()}", COLORS, (p,)) for p in BY_SHAPE]


def _shape_questions() -> list[Question]:
    return [Question("shape", f"what shape is the {p.phrase()}", SHAPES, (p,)) for p in BY_COLOR]


def _size_questions() -> list[Question]:
    return [Question("size", f"what size is the {p.phrase()}", SIZES, (p,)) for p in (*BY_COLOR, *BY_SHAPE)]


def _count_questions() -> list[Question]:
    patterns = (Pattern(), *BY_COLOR, *BY_SHAPE)
    return [Question("count", f"how many {p.phrase(plural=True)} are there", NUMBERS, (p,)) for p in patterns]


def _exist_questions() -> list[Question]:
    # "a", never "an": one word for the small vocabulary; `normalise` maps the other to it.
    return [Question("exist", f"is there a {p.phrase()}", YES_NO, (p,)) for p in BY_BOTH]


def _where_questions() -> list[Question]:
    axes = (("column", COLUMNS), ("row", ROWS))
    return [
        Question("where", f"which {axis} is the {p.phrase()} in", places, (p,), axis)
        for axis, places in axes
        for p in (*BY_COLOR, *BY_SHAPE)
    ]


def _relation_questions() -> list[Question]:
    words = (("column", "left of"), ("row", "above"))
    return [
        Question("relation", f"is the {a.phrase()} {word} the {b.phrase()}", YES_NO, (a, b), axis)
        for axis, word in words
        for a in BY_SHAPE
        for b in BY_SHAPE
        if a != b
    ]


KINDS = {
    "color": Kind(_color_questions, _attribute("color")),
    "shape": Kind(_shape_questions, _attribute("shape")),
    "size": Kind(_size_questions, _attribute("size")),
    "count": Kind(_count_questions, _count),
    "exist": Kind(_exist_questions, _exist),
    "where": Kind(_where_questions, _where),
    "relation": Kind(_relation_questions, _relation),
}


@cache
def all_questions() -> tuple[Question, ...]:
    return tuple(question for kind in KINDS.values() for question in kind.questions())


@cache
def by_text() -> dict[str, Question]:
    return {question.text: question for question in all_questions()}


# Words that people use for words that the lab knows.
SYNONYMS = {
    "colour": "color",
    "big": "large",
    "little": "small",
    "tiny": "small",
    "an": "a",
    "thing": "object",
    "things": "objects",
    "centre": "center",
    "violet": "purple",
    "disc": "circle",
    "one": "object",
}


EMPTY = "The question is empty; type one or pick a suggestion."


def readable(text: str, most: int) -> str:
    """A question without white space around it. Raises QuestionError where it is empty, endless or no text."""
    if len(text) > most:
        raise QuestionError(f"The question has {len(text)} characters; ask in {most} or fewer.")
    if text != text.encode(errors="ignore").decode():  # half characters, from a terminal that means other bytes
        raise QuestionError("The question holds characters that are no text; type it again.")
    if not text.strip():
        raise QuestionError(EMPTY)
    return text.strip()


def normalise(text: str) -> str:
    """A question as the lab spells it: lower case, no punctuation, known synonyms replaced.

    Raises QuestionError for an empty or endless question.
    """
    words = "".join(ch if ch.isalnum() else " " for ch in readable(text, 500).lower()).split()
    if not words:
        raise QuestionError(EMPTY)
    return " ".join(SYNONYMS.get(word, word) for word in words)


def suggestions(scene: Scene, most: int = 8) -> tuple[str, ...]:
    """Questions that have an answer on this scene, one of each kind first."""
    fitting = [q for q in all_questions() if q.answer(scene) is not None]
    if scene.things:  # first those that speak of something that is there
        fitting.sort(key=lambda q: not q.relevant(scene))
    chosen: list[Question] = []
    for turn in range(2):
        for kind in KINDS:
            of_kind = [q for q in fitting if q.kind == kind]
            if len(of_kind) > turn:
                chosen.append(of_kind[turn * (len(of_kind) // 2)])
    return tuple(dict.fromkeys(q.text + "?" for q in chosen))[:most]
