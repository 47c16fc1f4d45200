"""What a person changes: the scene, the picture, the words; as data that a link and a file carry.

    changes = Changes(steps=(Step("blur", 0.5),), words=(Word("negation"),))
    Changes.from_json(changes.to_json()) == changes

Knows nothing of Streamlit.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import Image

from vlmlens.errors import PictureError, QuestionError, UserError
from vlmlens.lab.scenes import Scene
from vlmlens.models import Picture, as_image
from vlmlens.perturb import TEXT, Step, apply_text, from_json, run, to_json

ASK = "ask"  # the one change of words that is no row of TEXT: another question
MOST_WORDS_CHANGES = 12
MOST_LETTERS = 6000  # of a hint or a question

# What a lab model reads: sentences that say next to nothing, in the few words that it knows, one a length.
LAB_FILLER = ("there", "there are", "there are objects", "there are many objects", "there are many objects there")
LAB_SYNONYMS = {
    "color": "colour",
    "large": "big",
    "small": "little",
    "object": "thing",
    "objects": "things",
    "purple": "violet",
    "circle": "disc",
}
WORDINGS = {"everyday": "everyday words", "lab": "words of the lab"}


@dataclass(frozen=True)
class Word:
    """One change of the question."""

    name: str
    seed: int = 0
    text: str = ""  # the other question, the hint, the answer choices with commas between
    place: str = "before"  # of hint and filler
    words: int = 8  # of filler
    wording: str = "everyday"  # of filler and synonyms

    def __post_init__(self) -> None:
        if self.name != ASK and self.name not in TEXT:
            raise QuestionError(f"There is no change of words called {self.name}; there are {ASK}, {', '.join(TEXT)}.")
        if self.place not in ("before", "after") or self.wording not in WORDINGS:
            raise QuestionError("A hint or filler stands before or after the question, in everyday or lab words.")
        if not (_whole(self.seed) and _whole(self.words)) or not (0 <= self.seed < 2**32 and 0 <= self.words <= 2000):
            raise QuestionError("A seed and a number of words are whole numbers, the words up to 2000.")
        if not isinstance(self.text, str) or len(self.text) > MOST_LETTERS:
            raise QuestionError(f"A hint or a question has at most {MOST_LETTERS} letters.")

    def apply(self, question: str) -> str:
        """The question after this change. Raises QuestionError in words."""
        if self.name == ASK:
            return self.text.strip() or question
        return apply_text(self.name, question, 1.0, self.seed, **self.given())

    def given(self) -> dict[str, Any]:
        """What `apply_text` is given for it, beside name and seed."""
        lab = self.wording == "lab"
        if self.name == "hint":
            return {"hint": self.text, "place": self.place}
        if self.name == "filler":
            return {"words": self.words, "place": self.place} | ({"sentences": list(LAB_FILLER)} if lab else {})
        if self.name == "synonym":
            return {"synonyms": LAB_SYNONYMS} if lab else {}
        if self.name == "options":
            return {"choices": [choice.strip() for choice in self.text.split(",") if choice.strip()]}
        return {}


@dataclass(frozen=True)
class Changes:
    """Everything between before and after."""

    scene: Scene | None = None  # composed anew, in the place of a lab scene
    steps: tuple[Step, ...] = ()
    words: tuple[Word, ...] = ()

    @property
    def none(self) -> bool:
        return self == Changes()

    def picture(self, picture: Picture, donors: Mapping[str, Image.Image]) -> Image.Image:
        """The picture after all changes. Raises PictureError that names the step."""
        start = as_image(picture if self.scene is None else self.scene)
        return run(start, self.steps, donors).image if self.steps else start

    def question(self, question: str) -> str:
        """The question after all changes. Raises QuestionError that names the change."""
        for number, word in enumerate(self.words, 1):
            try:
                question = word.apply(question)
            except QuestionError as error:
                raise QuestionError(f"Change of words {number} ({word.name}): {error}") from error
        return question

    def to_json(self) -> str:
        """One line, without what is not changed."""
        content: dict[str, Any] = {}
        if self.scene is not None:
            content["scene"] = self.scene.to_dict()
        if self.steps:
            content["picture"] = json.loads(to_json(self.steps))
        if self.words:
            content["words"] = [_content(word) for word in self.words]
        return json.dumps(content, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Changes":
        """What `to_json` wrote, or a list of steps alone. Raises UserError in words."""
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise PictureError("The changes are not JSON, or were cut short; copy the whole text.") from error
        if isinstance(content, list):
            content = {"picture": content}
        if not isinstance(content, dict) or set(content) - {"scene", "picture", "words"}:
            raise PictureError('Changes are written {"picture": [...], "words": [...]}, or as a list of steps.')
        scene = content.get("scene")
        if scene is not None and not isinstance(scene, dict):
            raise PictureError("The scene of these changes is none; compose it on the board.")
        words = content.get("words", [])
        if not isinstance(words, list) or len(words) > MOST_WORDS_CHANGES:
            raise QuestionError(f"The changes of words are a list of up to {MOST_WORDS_CHANGES}.")
        return cls(
            None if scene is None else Scene.from_dict(scene),
            from_json(json.dumps(content.get("picture", []))),
            tuple(_word(number, item) for number, item in enumerate(words, 1)),
        )


def _content(word: Word) -> dict[str, Any]:
    plain = Word(word.name)
    return {"name": word.name} | {
        name: getattr(word, name)
        for name in ("seed", "text", "place", "words", "wording")
        if getattr(word, name) != getattr(plain, name)
    }


def _word(number: int, item: Any) -> Word:
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise QuestionError(f'Change of words {number} has no name; one is written {{"name": "hint", "text": "..."}}.')
    try:
        return Word(**item)
    except TypeError as error:
        raise QuestionError(
            f"Change of words {number} ({item['name']}) says something that no such change has."
        ) from error
    except UserError as error:
        raise QuestionError(f"Change of words {number}: {error}") from error


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
