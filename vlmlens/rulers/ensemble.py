"""Over which pictures and questions do the rulers speak? The same for every ruler, so that they can be compared.

ensemble = lab_ensemble()                    # crossed lab scenes and all questions for a color
ensemble = own_ensemble(picture, question)   # a person's picture and question, with variants of both
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vlmlens.information.ensembles import PICTURE_SETS, QUESTION_SETS
from vlmlens.lab.questions import by_text, normalise
from vlmlens.lab.sample import crossed, take
from vlmlens.lab.scenes import COLORS, Scene
from vlmlens.models import Picture

KIND = "color"  # of one kind, so that every question has the same candidates
SCENES, ITEMS, SAMPLES = 24, 48, 2000
VARIANTS_ITEMS = 24
STRENGTH = 0.6  # of the changes that make variants of a person's picture
FILLER = ("well", "so", "here", "it", "comes", "again", "as", "we", "said", "before", "and", "then")


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Pictures crossed with questions, and the pairs of them that are looked at one by one."""

    pictures: tuple[Picture, ...]
    questions: tuple[str, ...]
    items: np.ndarray  # int [item, (picture, question)]
    words: str  # what they are
    samples: Callable[[], tuple[list[Picture], list[str]]] | None = None  # many independent pairs, drawn when needed
    why_no_samples: str = ""

    def item(self, index: int) -> tuple[Picture, str]:
        picture, question = self.items[index]
        return self.pictures[picture], self.questions[question]


def lab_ensemble(
    scenes: int = SCENES,
    items: int = ITEMS,
    samples: int = SAMPLES,
    seed: int = 0,
    around: Callable[[int, str], str] | None = None,
    told: str = "",
) -> Ensemble:
    """Held-out scenes that each show every shape once, with every question for a shape's color.

    Args:
        items: pairs that are looked at one by one, spread evenly over scenes and questions.
        samples: independent pairs for what must estimate a distribution; 0 for none.
        around: what is really asked, from a question's number and text: hints and filler for planted models.
        told: the same in words.
    """
    pictures, all_questions, _ = crossed(seed, scenes)
    texts = [q.text for q in all_questions if q.kind == KIND]
    asked = [around(number, text) for number, text in enumerate(texts)] if around else texts

    def drawn() -> tuple[list[Picture], list[str]]:
        found = take("test", seed, samples, kinds=(KIND,))
        wording = dict(zip(texts, asked, strict=True))
        return [item.scene for item in found], [wording[item.question.text] for item in found]

    return Ensemble(
        tuple(pictures),
        tuple(asked),
        spread(scenes, len(asked), items, seed),
        f"{scenes} held-out lab scenes, {len(asked)} questions for a color{told}",
        drawn if samples else None,
        "" if samples else f"it takes some {SAMPLES} independent items, which were left out here",
    )


def own_ensemble(picture: Picture, question: str, items: int = VARIANTS_ITEMS, seed: int = 0) -> Ensemble:
    """A person's picture and question with variants: the picture changed as a whole, the question's like or wording."""
    known = isinstance(picture, Scene) and normalise(question) in by_text()
    pictures = PICTURE_SETS["whole-picture changes"].make(picture, STRENGTH, seed)
    row = QUESTION_SETS["same kind" if known else "rephrased"]
    questions = row.make(question, picture)
    return Ensemble(
        tuple(pictures),
        tuple(questions),
        spread(len(pictures), len(questions), items, seed),
        f"{len(pictures)} pictures (this one and whole-picture changes of it), {len(questions)} {row.words}",
        None,
        "it takes thousands of independent pictures and questions; variants of one picture are not",
    )


def spread(pictures: int, questions: int, items: int, seed: int) -> np.ndarray:
    """So many different pairs, every picture and every question as often as the next as far as that goes."""
    offset = np.random.default_rng([17, seed]).permutation(pictures)
    every = [(int(p), (int(p) + turn) % questions) for turn in range(questions) for p in offset]
    return np.array(every[: min(items, len(every))])


def hinted(number: int, question: str) -> str:
    """A note that names a color before the question, another one before each."""
    return f"a note says {COLORS[(3 * number + 1) % len(COLORS)]}. {question}"


def padded(words: int) -> Callable[[int, str], str]:
    """So many words that say nothing before the question."""
    filler = [FILLER[index % len(FILLER)] for index in range(words)]
    return lambda number, question: " ".join([*filler, question])
