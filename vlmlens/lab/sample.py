"""Scenes with questions, drawn by seed: the language prior as a dial, splits that never overlap, crossed sets.

The prior works on the answer: for every question there is one preferred answer; with probability `prior` the scene is
built to have it, otherwise the answer is uniform over the candidates. A model that never looks can therefore reach
`prior + (1 - prior) / candidates` on a question, and no more (`best_blind_accuracy`).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from vlmlens.lab.questions import KINDS, NUMBERS, Pattern, Question, all_questions
from vlmlens.lab.scenes import (
    BOARD,
    CELLS,
    COLORS,
    HELD_OUT_PAIRS,
    JITTER,
    MOST_THINGS,
    SHAPES,
    SIZES,
    SPLITS,
    Scene,
    Thing,
    split_of,
)

PRIOR = 0.3  # of the shipped models' training data and of the default test data


@dataclass(frozen=True, slots=True)
class Item:
    scene: Scene
    question: Question
    answer: str


def possible_answers(question: Question) -> tuple[str, ...]:
    """The candidates that training can show: those that need no held-out pair."""
    shape = question.about[0].shape if question.kind == "color" else None
    color = question.about[0].color if question.kind == "shape" else None
    return tuple(a for a in question.candidates if (color or a, shape or a) not in HELD_OUT_PAIRS)


def preferred_answer(question: Question) -> str:
    """The answer that the language prior favours: fixed by a hash of the question's text."""
    digest = hashlib.sha256(question.text.encode()).digest()
    possible = possible_answers(question)
    return possible[int.from_bytes(digest[:4], "big") % len(possible)]


def best_blind_accuracy(prior: float, questions: Iterable[Question]) -> float:
    """The accuracy that the prior allows to a model that never sees the picture."""
    return float(np.mean([prior + (1 - prior) / len(possible_answers(q)) for q in questions]))


def items(
    split: str, seed: int, prior: float = PRIOR, kinds: Iterable[str] = tuple(KINDS), novel_pairs: bool = False
) -> Iterator[Item]:
    """An endless stream of items of one split, the same for the same seed.

    Kinds are drawn evenly, then questions evenly within a kind. With `novel_pairs` every item is about a colour-shape
    pair that training never showed; without it such pairs never occur.
    """
    rng = np.random.default_rng([SPLITS.index(split), seed, int(novel_pairs)])
    by_kind = [[q for q in all_questions() if q.kind == kind] for kind in kinds]
    while True:
        of_kind = by_kind[rng.integers(len(by_kind))]
        question = of_kind[rng.integers(len(of_kind))]
        asks_held_out = question.about[0].pair in HELD_OUT_PAIRS  # in training such an "is there" is always "no"
        if asks_held_out and not novel_pairs:
            continue
        possible = question.candidates if novel_pairs else possible_answers(question)
        answer = preferred_answer(question) if rng.random() < prior else possible[rng.integers(len(possible))]
        # Only the split may reject a scene: rejecting by answer would bend the prior.
        while True:
            scene = compose(question, answer, rng, novel_pairs)
            if split_of(scene) == split or not scene.things:
                break
        relevant = set(question.relevant(scene))
        if (
            novel_pairs
            and not asks_held_out
            and not any(thing.pair in HELD_OUT_PAIRS and thing.cell in relevant for thing in scene.things)
        ):
            continue
        yield Item(scene, question, answer)


def take(split: str, seed: int, count: int, **options: object) -> list[Item]:
    """The first `count` of `items`."""
    stream = items(split, seed, **options)  # type: ignore[arg-type]
    return [next(stream) for _ in range(count)]


def compose(question: Question, answer: str, rng: np.random.Generator, novel_pairs: bool = False) -> Scene:
    """A random scene on which `question` has `answer`."""
    cells = [int(c) for c in rng.permutation(CELLS)]
    total = int(rng.integers(1, MOST_THINGS + 1))
    about = question.about[0]
    wanted: list[tuple[int, Pattern, str | None]]  # cell, pattern, size
    match question.kind:
        case "color":
            wanted = [(cells[0], Pattern(answer, about.shape), None)]
        case "shape":
            wanted = [(cells[0], Pattern(about.color, answer), None)]
        case "size":
            wanted = [(cells[0], about, answer)]
        case "count":
            number = NUMBERS.index(answer)
            total = number if about == Pattern() else int(rng.integers(number, MOST_THINGS + 1))
            wanted = [(cell, about, None) for cell in cells[:number]]
        case "exist":
            wanted = [(cells[0], about, None)] if answer == "yes" else []
        case "where":
            place = question.candidates.index(answer)
            wanted = [(next(c for c in cells if _along(c, question.axis) == place), about, None)]
        case "relation":
            pairs = ((a, b) for a in cells for b in cells if a != b)
            first, second = next(
                (a, b) for a, b in pairs if (_along(a, question.axis) < _along(b, question.axis)) == (answer == "yes")
            )
            wanted = [(first, about, None), (second, question.about[1], None)]
        case _:
            raise ValueError(f"no way to compose a scene for a {question.kind!r} question")

    things = [_thing(cell, rng, novel_pairs, pattern, size) for cell, pattern, size in wanted]
    taken = {thing.cell for thing in things}
    for cell in [c for c in cells if c not in taken][: max(0, total - len(things))]:
        # Things that share half of an "is there a red circle" make the other half matter.
        half = Pattern()
        if question.kind == "exist" and rng.random() < 0.5:
            half = Pattern(color=about.color) if rng.random() < 0.5 else Pattern(shape=about.shape)
        thing = _thing(cell, rng, novel_pairs, half)
        if not any(pattern.matches(thing) for pattern in question.about):
            things.append(thing)
    return Scene(tuple(things), int(rng.integers(2**31)))


def _along(cell: int, axis: str) -> int:
    return cell % BOARD if axis == "column" else cell // BOARD


def _thing(cell: int, rng: np.random.Generator, novel_pairs: bool, pattern: Pattern, size: str | None = None) -> Thing:
    """A random thing that matches the pattern, of a pair that may be shown where the pattern leaves a choice."""
    while True:
        color = pattern.color or COLORS[rng.integers(len(COLORS))]
        shape = pattern.shape or SHAPES[rng.integers(len(SHAPES))]
        if novel_pairs or (pattern.color and pattern.shape) or (color, shape) not in HELD_OUT_PAIRS:
            break
    look = size or SIZES[rng.integers(len(SIZES))], JITTER[rng.integers(3)], JITTER[rng.integers(3)]
    return Thing(cell, color, shape, *look)


def free_thing(rng: np.random.Generator, pattern: Pattern) -> Thing:
    """A random thing that matches the pattern, of a pair that training may show; on cell 0."""
    return _thing(0, rng, False, pattern)


def crossed(seed: int, scenes: int, split: str = "test") -> tuple[list[Scene], list[Question], list[list[str]]]:
    """Scenes x questions in which every question has an answer on every scene.

    Each scene shows every shape once, in four colours. Returns the scenes, the questions (all that name shapes only,
    and the counts) and the true answers [scene][question].
    """
    rng = np.random.default_rng([3, seed])
    questions = [
        q for q in all_questions() if q.kind in ("count", "exist") or all(p.shape is not None for p in q.about)
    ]
    chosen: list[Scene] = []
    while len(chosen) < scenes:
        cells, colors = rng.permutation(CELLS), rng.permutation(len(COLORS))
        things = tuple(
            _thing(int(cells[i]), rng, False, Pattern(COLORS[colors[i]], shape)) for i, shape in enumerate(SHAPES)
        )
        scene = Scene(things, int(rng.integers(2**31)))
        if split_of(scene) == split and not any(thing.pair in HELD_OUT_PAIRS for thing in things):
            chosen.append(scene)
    return chosen, questions, [[str(q.answer(scene)) for q in questions] for scene in chosen]
