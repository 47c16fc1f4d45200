"""Changes of a question's words, one row each, found by name. At strength 0 the question stays as it is."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlmlens.errors import QuestionError

MOST_WORDS = 10_000  # of filler

# Sentences that say nothing about any picture; one of every length from 1 to 8 words, so that any number can be made.
NEUTRAL = (
    "Well.",
    "Please wait.",
    "Take your time.",
    "This is a test.",
    "The train leaves at noon.",
    "Tea is served in the afternoon.",
    "The library opens at nine every morning.",
    "Someone left a note in the other room.",
    "The meeting was moved to another day.",
    "Last winter was longer than most people remember.",
    "A letter takes about three days to arrive.",
    "The museum is closed on the first Monday.",
)

SYNONYMS = {
    "picture": "image",
    "photo": "picture",
    "image": "picture",
    "color": "hue",
    "colour": "hue",
    "shape": "form",
    "object": "thing",
    "objects": "things",
    "circle": "disc",
    "square": "box",
    "large": "big",
    "big": "large",
    "small": "little",
    "little": "small",
    "purple": "violet",
    "cyan": "turquoise",
    "above": "over",
    "below": "under",
    "man": "guy",
    "woman": "lady",
    "car": "automobile",
    "bike": "bicycle",
    "many": "numerous",
    "shown": "displayed",
    "wearing": "dressed in",
}

_EXISTS = re.compile(r"\b(is|are|was|were) there (?:(?:an?|any|some)\s+)?", re.IGNORECASE)
_PLACE = re.compile(
    r"\s(?=(?:to the )?(?:left of|right of|above|below|over|under|behind|in front of|near|next to|inside|on|in|at)\b)",
    re.IGNORECASE,
)
_VERB = re.compile(
    r"\b(is|are|was|were|do|does|did|can|could|has|have|had|will|would|should)((?: (?:it|he|she|they|this|that))?)\b",
    re.IGNORECASE,
)
_OPTIONS = re.compile(r"\b(options|choices|answers)\s*:\s*(?P<list>[^.?!\n]*)", re.IGNORECASE)


@dataclass(frozen=True)
class TextChange:
    name: str
    label: str
    sentence: str
    change: Callable[..., str]  # question, strength above 0, generator, and what the row takes
    takes: tuple[str, ...] = ()
    random: bool = False  # whether the seed matters


def apply_text(name: str, question: str, strength: float = 1.0, seed: int = 0, **given: Any) -> str:
    """The question after one change.

    Args:
        given: what the row `takes`: hint and place ("before" or "after"); words, sentences and place; choices and
            rotation; synonyms.

    Raises QuestionError in words.
    """
    if name not in TEXT:
        raise QuestionError(f"There is no change of words called {name}; there are {', '.join(TEXT)}.")
    row = TEXT[name]
    if not 0 <= strength <= 1:
        raise QuestionError(f"strength goes from 0 to 1, got {strength}.")
    if unknown := [key for key in given if key not in row.takes]:
        raise QuestionError(f"{name} takes no {unknown[0]}; it takes {', '.join(row.takes) or 'nothing more'}.")
    if strength == 0:
        return question
    return row.change(question, strength, np.random.default_rng([seed, 20]), **given)


def hint(question: str, strength: float, rng: np.random.Generator, hint: str = "", place: str = "before") -> str:
    if strength < 0.5 or not hint.strip():
        return question
    return _placed(hint.strip(), question, place)


def filler(
    question: str,
    strength: float,
    rng: np.random.Generator,
    words: int = 20,
    sentences: Sequence[str] = NEUTRAL,
    place: str = "before",
) -> str:
    count = round(strength * words)
    if not 0 <= words <= MOST_WORDS:
        raise QuestionError(f"words goes from 0 to {MOST_WORDS}, got {words}.")
    if not any(sentence.split() for sentence in sentences):
        raise QuestionError("There is no sentence to fill with; give one or more.")
    return _placed(" ".join(_neutral(count, sentences, rng)), question, place) if count else question


def _neutral(count: int, sentences: Sequence[str], rng: np.random.Generator) -> list[str]:
    """Exactly `count` words: whole sentences in random order as long as any fits, then a part of one."""
    split = [sentence.split() for sentence in sentences if sentence.split()]
    longest = max(map(len, split))
    found: list[str] = []
    last: list[str] = []
    while len(found) < count:
        rest = count - len(found)
        fitting = [words for words in split if len(words) <= rest] or [words[:rest] for words in split]
        if rest > longest:  # the short ones are there to end with
            fitting = [words for words in fitting if 2 * len(words) > longest]
        else:
            fitting = [words for words in fitting if len(words) == rest] or fitting
        fresh = [words for words in fitting if words != last] or fitting
        last = fresh[rng.integers(len(fresh))]
        found += last
    return found


def negation(question: str, strength: float, rng: np.random.Generator) -> str:
    """Is there a dog -> is there no dog; is it left of the tree -> is it not left of ...; else not after the verb."""
    if strength < 0.5:
        return question
    if _EXISTS.search(question):
        return _EXISTS.sub(r"\1 there no ", question, count=1)
    if _PLACE.search(question) and _VERB.match(question.strip()):
        return _PLACE.sub(" not ", question, count=1)
    if not _VERB.search(question):
        raise QuestionError("There is no is, are, does, can or the like to negate in this question; rephrase it.")
    return _VERB.sub(r"\1\2 not", question, count=1)


def synonym(question: str, strength: float, rng: np.random.Generator, synonyms: dict[str, str] | None = None) -> str:
    """Strength is the part of the replaceable words that are replaced, at least one."""
    table = SYNONYMS if synonyms is None else synonyms
    if not table:
        return question
    known = re.compile(rf"\b({'|'.join(map(re.escape, sorted(table, key=len, reverse=True)))})\b", re.IGNORECASE)
    found = list(known.finditer(question))
    if not found:
        return question
    chosen = rng.permutation(len(found))[: max(1, round(strength * len(found)))]
    for index in sorted(chosen, reverse=True):  # from the end, so that what is before stays in its place
        word = found[index].group()
        other = table.get(word, table.get(word.lower(), word))
        other = other.capitalize() if word[0].isupper() else other
        question = question[: found[index].start()] + other + question[found[index].end() :]
    return question


def options(
    question: str,
    strength: float,
    rng: np.random.Generator,
    choices: Sequence[str] = (),
    rotation: int | None = None,
) -> str:
    """The list after "Options:" in another order: turned by `rotation`, or shuffled; `choices` adds such a list."""
    if choices and not _OPTIONS.search(question):
        question = f"{question.rstrip()} Options: {', '.join(choices)}"
    match = _OPTIONS.search(question)
    listed = [choice.strip() for choice in match["list"].split(",")] if match else []
    if match is None or len(listed) < 2:
        raise QuestionError("There are no answers to put in another order; list them as “Options: red, blue, green”.")
    if strength < 0.5:
        return question
    order = list(range(len(listed)))
    if rotation is not None:
        order = [(place + rotation) % len(listed) for place in order]
    else:
        while order == sorted(order):
            order = rng.permutation(len(listed)).tolist()
    turned = ", ".join(listed[place] for place in order)
    return question[: match.start("list")] + turned + question[match.start("list") + len(match["list"].rstrip()) :]


def _placed(text: str, question: str, place: str) -> str:
    if place not in ("before", "after"):
        raise QuestionError(f"place is before or after, got {place}.")
    return f"{text} {question}" if place == "before" else f"{question} {text}"


TEXT = {
    row.name: row
    for row in (
        TextChange(
            "hint", "Hint", "A text of yours beside the question, from half strength on.", hint, ("hint", "place")
        ),
        TextChange(
            "filler",
            "Filler",
            "Sentences that say nothing about the picture, up to so many words.",
            filler,
            ("words", "sentences", "place"),
            True,
        ),
        TextChange("negation", "Negation", "The question asked the other way round, from half strength on.", negation),
        TextChange(
            "synonym",
            "Synonyms",
            "A growing part of the words for others that mean the same.",
            synonym,
            ("synonyms",),
            True,
        ),
        TextChange(
            "options",
            "Order of answers",
            "The answers that the question lists in another order, from half strength on.",
            options,
            ("choices", "rotation"),
            True,
        ),
    )
}
