"""Words around a question that a test adds: a hint, and filler that says nothing; in a way that the model can read."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle, islice

from vlmlens.errors import QuestionError, UserError
from vlmlens.lab.questions import Question, by_text, normalise
from vlmlens.models import VLM, Picture

# No word of it is an answer to anything.
_SENTENCES = (
    "This text was written some time ago and has been kept since then.",
    "It was printed on plain paper, and people read it now and then.",
    "Nothing in these lines matters for what is asked.",
    "They were put here because every page needs to be filled.",
    "Whoever reads on will find that they end where they began.",
)
_PLAIN_WORDS = tuple(" ".join(_SENTENCES).split())
_LAB_WORDS = ("there", "are", "objects", "in", "there")


@dataclass(frozen=True)
class Phrasing:
    """One way of adding words. `hint` returns "" where this question cannot be hinted at."""

    name: str
    hint: Callable[[str, str], str]  # question, answer
    lengths: tuple[int, ...]  # of filler, in words
    filler: Callable[[int], str]


def _lab_hint(question: str, answer: str) -> str:
    """What the lab's own words can say: "the circle is red"."""
    known: Question | None = by_text().get(normalise(question))
    return f"the {known.about[0].phrase()} is {answer}" if known and known.kind == "color" else ""


def _plain_filler(words: int) -> str:
    return " ".join(islice(cycle(_PLAIN_WORDS), words)).removesuffix(",")


PLAIN = Phrasing(
    "plain sentences", lambda question, answer: f"Hint: the answer is {answer}.", (0, 8, 16, 32, 64), _plain_filler
)
LAB = Phrasing("the lab's own words", _lab_hint, (0, 1, 2, 3, 4, 5), lambda words: " ".join(_LAB_WORDS[:words]))
PHRASINGS = (PLAIN, LAB)


def phrasing_of(vlm: VLM, picture: Picture, question: str) -> Phrasing | None:
    """The first way whose words this model can read after a question; None where it reads no context at all."""
    for phrasing in PHRASINGS:
        if reads(vlm, picture, joined(question, phrasing.filler(phrasing.lengths[1]), True)):
            return phrasing
    return None


def reads(vlm: VLM, picture: Picture, text: str) -> bool:
    """Whether the model takes this text for a question."""
    try:
        vlm.prepare(vlm.image(picture), text)
    except QuestionError:
        return False
    except UserError:
        return True  # something else is wrong, which the tests will say
    return True


def joined(question: str, context: str, after: bool) -> str:
    """The question with some context after or before it."""
    if not context:
        return question
    return f"{question} {context}" if after else f"{context} {question}"
