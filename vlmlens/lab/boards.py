"""Boards of any size: the lab's scenes and questions of place on more cells than the models were trained on.

    item = board_item(side=5, kind="relation", rng=np.random.default_rng(0))
    render_board(item.scene)         # uint8 [80, 80, rgb]

A cell is as large as ever and looks as ever; there are more of them. Answers come from the same vocabulary: on any
board the first column is "left", the last "right" and all between "center"; rows likewise.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlmlens.errors import PictureError
from vlmlens.lab.draw import BACKGROUND, CELL_PIXELS, NOISE, tile
from vlmlens.lab.questions import Pattern, Question, all_questions
from vlmlens.lab.sample import free_thing
from vlmlens.lab.scenes import BOARD, MOST_THINGS, Scene, Thing

KINDS = ("where", "relation")
LARGEST = 8  # cells a side


@dataclass(frozen=True, slots=True)
class Placed:
    """A thing and the row and column that it stands in. The thing's own cell means nothing here."""

    thing: Thing
    row: int
    column: int


@dataclass(frozen=True, slots=True)
class Board:
    """Things on a board of `side` x `side` cells, and the seed of the pixel noise."""

    side: int
    things: tuple[Placed, ...] = ()
    noise_seed: int = 0

    def __post_init__(self) -> None:
        if not BOARD <= self.side <= LARGEST:
            raise PictureError(f"A board has {BOARD} to {LARGEST} cells a side, not {self.side}.")
        cells = [(placed.row, placed.column) for placed in self.things]
        if any(not (0 <= row < self.side and 0 <= column < self.side) for row, column in cells):
            raise PictureError(f"A thing stands beside the board; rows and columns go from 0 to {self.side - 1}.")
        if len(set(cells)) < len(cells) or len(cells) > MOST_THINGS:
            raise PictureError(f"A board holds at most {MOST_THINGS} things, one a cell.")

    @classmethod
    def of(cls, scene: Scene) -> "Board":
        """A scene as a board of its own size."""
        things = tuple(Placed(thing, thing.row, thing.column) for thing in scene.things)
        return cls(BOARD, things, scene.noise_seed)


@dataclass(frozen=True, slots=True)
class BoardItem:
    scene: Board
    question: Question
    answer: str


def render_board(board: Board) -> np.ndarray:
    """The picture that the models get: uint8 [16 side, 16 side, rgb], noise included."""
    pixels = board.side * CELL_PIXELS
    canvas = np.empty((pixels, pixels, 3), np.int16)
    canvas[:] = BACKGROUND
    for placed in board.things:
        top, left = placed.row * CELL_PIXELS, placed.column * CELL_PIXELS
        canvas[top : top + CELL_PIXELS, left : left + CELL_PIXELS] = tile(placed.thing)
    noise = np.random.default_rng(board.noise_seed).integers(-NOISE, NOISE + 1, canvas.shape, np.int8)
    return np.clip(canvas + noise, 0, 255).astype(np.uint8)


def answer_on(question: Question, board: Board) -> str | None:
    """The true answer to a question of place, or None where it makes no sense on this board.

    Raises ValueError for a question of another kind.
    """
    if question.kind not in KINDS:
        raise ValueError(f"a {question.kind!r} question is not one of place")
    found = []
    for pattern in question.about:
        matching = [placed for placed in board.things if pattern.matches(placed.thing)]
        if len(matching) != 1:
            return None
        found.append(_along(matching[0], question.axis))
    if question.kind == "relation":
        return "yes" if found[0] < found[1] else "no"
    return question.candidates[0 if found[0] == 0 else 2 if found[0] == board.side - 1 else 1]


def board_item(side: int, kind: str, rng: np.random.Generator) -> BoardItem:
    """A question of place and a random board on which every answer is equally likely."""
    questions = [question for question in all_questions() if question.kind == kind]
    question = questions[rng.integers(len(questions))]
    answer = question.candidates[rng.integers(len(question.candidates))]
    while True:  # until the things that are asked about stand as the answer wants it
        count = int(rng.integers(len(question.about), MOST_THINGS + 1))
        cells = [divmod(int(cell), side) for cell in rng.permutation(side * side)[:count]]
        things = [Placed(free_thing(rng, question.about[i]), *cells[i]) for i in range(len(question.about))]
        for cell in cells[len(things) :]:
            other = free_thing(rng, Pattern())
            if not any(pattern.matches(other) for pattern in question.about):
                things.append(Placed(other, *cell))
        board = Board(side, tuple(things), int(rng.integers(2**31)))
        if answer_on(question, board) == answer:
            return BoardItem(board, question, answer)


def board_items(side: int, kind: str, count: int, seed: int = 0) -> Sequence[BoardItem]:
    """`count` of them, the same for the same seed."""
    rng = np.random.default_rng([6, side, KINDS.index(kind), seed])
    return [board_item(side, kind, rng) for _ in range(count)]


def _along(placed: Placed, axis: str) -> int:
    return placed.column if axis == "column" else placed.row
