"""Single items: pointwise parts average to the decomposition, and Shapley values are those of games solved by hand."""

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest

from vlmlens.information import GATES, decompose, gate
from vlmlens.information.contributions import REGIONS, mm_shap, pointwise, ranked
from vlmlens.information.interventional import Interventional, interventional
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.models import as_image
from vlmlens.trace import Grid, Segment

TERMS = ("unique_1", "unique_2", "redundant", "synergistic")


# Pointwise


def means(joint: np.ndarray) -> list[float]:
    p, parts = joint / joint.sum(), pointwise(joint)
    return [(p * getattr(parts, name)).sum() for name in TERMS]


def truth(joint: np.ndarray) -> list[float]:
    pid = decompose(joint, 1e-9)
    return [getattr(pid, name) for name in TERMS]


# These need the true `optimum` of the solver, and hold where its Q leaves out pairs that P has: there too, the parts of
# what P allows must make up for each other


@pytest.mark.parametrize("name", GATES)
def test_pointwise_parts_of_a_gate_average_to_its_truth(name):
    np.testing.assert_allclose(means(gate(name)), GATES[name].truth, atol=1e-5)


@pytest.mark.parametrize("name", ["XOR", "UNQ", "AND"])
def test_pointwise_parts_of_a_noisy_gate_average_to_its_decomposition(name):
    joint = gate(name, 0.2)
    np.testing.assert_allclose(means(joint), truth(joint), atol=1e-5)


@pytest.mark.parametrize("seed", range(12))
def test_pointwise_parts_of_any_table_average_to_its_decomposition(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 6, 3))
    joint = rng.dirichlet(np.full(math.prod(shape), 0.5 + seed % 3)).reshape(shape)
    np.testing.assert_allclose(means(joint), truth(joint), atol=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_pointwise_parts_of_a_deterministic_table_average_to_its_decomposition(seed):
    rng = np.random.default_rng(seed)
    joint = np.eye(3)[rng.integers(0, 3, (4, 4))] * rng.dirichlet(np.ones(16)).reshape(4, 4, 1)
    np.testing.assert_allclose(means(joint), truth(joint), atol=1e-5)


# These hold for any Q with the right pair marginals


@pytest.mark.parametrize("seed", range(6))
def test_pointwise_parts_add_up_to_pointwise_information(seed):
    rng = np.random.default_rng(seed)
    joint = rng.dirichlet(np.full(36, 0.4)).reshape(3, 4, 3) * (rng.random((3, 4, 3)) < 0.7)
    p, parts = joint / joint.sum(), pointwise(joint)
    for x1, x2, y in np.argwhere(p > 0):
        u1, u2, r, s = (getattr(parts, name)[x1, x2, y] for name in TERMS)
        of_y = p[:, :, y].sum()
        first = np.log2(p[x1, :, y].sum() / p[x1].sum() / of_y)
        both = np.log2(p[x1, x2, y] / p[x1, x2].sum() / of_y)
        assert u1 + r == pytest.approx(first, abs=1e-9)
        assert u1 + u2 + r + s == pytest.approx(both, abs=1e-9)
    for name in TERMS:
        assert np.isfinite(getattr(parts, name)).all()
        assert (getattr(parts, name)[p == 0] == 0).all()


def test_where_only_the_second_source_tells_every_outcome_says_so():
    joint = gate("UNQ").swapaxes(0, 1)
    parts = pointwise(joint)
    np.testing.assert_allclose(parts.unique_2[joint > 0], 1, atol=1e-6)
    for name in ("unique_1", "redundant", "synergistic"):
        np.testing.assert_allclose(getattr(parts, name), 0, atol=1e-6)


# Ranked


def found_of(table: np.ndarray, weights: np.ndarray) -> Interventional:
    weights = weights / weights.sum()
    pid = decompose(weights[:, :, None] * table)
    questions = tuple(f"question {j}" for j in range(table.shape[1]))
    answers = tuple(f"answer {y}" for y in range(table.shape[2]))
    return Interventional(pid, table, weights, answers, questions, "a test")


def test_every_pair_that_occurs_has_one_row_of_its_own_numbers():
    rng = np.random.default_rng(0)
    table, weights = rng.dirichlet(np.full(4, 0.5), (5, 3)), rng.random((5, 3)) * (rng.random((5, 3)) < 0.7)
    found = found_of(table, weights)
    frame, parts = ranked(found), pointwise(found.joint)
    assert list(frame) == ["picture", "question", "answer", "probability", "unique_image", "unique_text", "redundant",
                           "synergistic"]  # fmt: skip
    assert (np.diff(frame["unique_text"]) <= 0).all()
    assert list(frame.index) == list(range(len(frame)))
    pairs = {(row.picture, found.questions.index(row.question)) for row in frame.itertuples()}
    assert pairs == {(int(i), int(j)) for i, j in np.argwhere(weights > 0)}
    assert len(frame) == len(pairs)
    for row in frame.itertuples():
        i, j = row.picture, found.questions.index(row.question)
        best = table[i, j].argmax()
        assert row.answer == f"answer {best}"
        assert row.probability == table[i, j, best]
        assert row.unique_image == parts.unique_1[i, j, best]
        assert row.unique_text == parts.unique_2[i, j, best]
        assert row.redundant == parts.redundant[i, j, best]
        assert row.synergistic == parts.synergistic[i, j, best]


def test_the_question_that_settles_its_answer_comes_first():
    table = np.full((4, 3, 2), 0.5)
    table[:, 0] = [0.98, 0.02]  # whatever the picture
    frame = ranked(found_of(table, np.ones((4, 3))))
    assert set(frame["question"][:4]) == {"question 0"}
    assert (frame["unique_text"][:4] > 0.2).all()


# MM-SHAP


class Game:
    """Stands for a model: the probability is a function of who may be read, bool [player]; a 3 x 3 picture, words."""

    def __init__(self, value, words: int = 3, grid: tuple[int, int] = (3, 3)) -> None:
        self.value, self.cells, self.words = value, grid[0] * grid[1], words
        self.grid, self.asked = grid, 0

    def image(self, picture):
        return as_image(picture)

    def prepare(self, picture, question):
        segments = [Segment.BOS, *[Segment.IMAGE] * self.cells, Segment.INSTRUCTION, *[Segment.QUESTION] * self.words]
        return SimpleNamespace(
            segments=np.array(segments, np.int8),
            length=len(segments),
            tokens=tuple(f"token {i}" for i in range(len(segments))),
            grid=Grid.regular(self.grid, range(1, 1 + self.cells), picture.size),
        )

    def hidden_probability(self, prepared, candidate, keys, progress=None):
        assert not keys[:, [0, 1 + self.cells]].any()  # neither the start nor the instruction is ever hidden
        self.asked += len(keys)
        readable = np.delete(~keys, [0, 1 + self.cells], axis=1)
        return np.array([self.value(row) for row in readable])


def play(value, permutations: int = 8, **options):
    vlm = Game(value, **options)
    picture = Scene((Thing(0, "red", "circle", "large"),))
    return mm_shap(vlm, picture, "a question", 0, permutations), vlm


def exact_shapley(value, players: int) -> np.ndarray:
    """By its definition: the mean over all orders of what each adds."""
    found = np.zeros(players)
    for order in itertools.permutations(range(players)):
        there = np.zeros(players, bool)
        before = value(there)
        for player in order:
            there[player] = True
            found[player] += value(there) - before
            before = value(there)
    return found / math.factorial(players)


WORTH = np.random.default_rng(0).normal(size=12) / 20


def additive(there: np.ndarray) -> float:
    return 0.3 + WORTH @ there


def test_an_additive_game_gives_every_player_what_it_is_worth():
    shap, _ = play(additive)
    np.testing.assert_allclose(shap.values, WORTH, atol=1e-12)
    np.testing.assert_allclose(shap.error, 0, atol=1e-12)
    assert shap.alone == pytest.approx(0.3)
    assert shap.whole == pytest.approx(0.3 + WORTH.sum())
    assert shap.text_share == pytest.approx(np.abs(WORTH[9:]).sum() / np.abs(WORTH).sum())
    np.testing.assert_array_equal(shap.image, np.arange(12) < 9)
    assert shap.players == (*(f"region {i + 1}" for i in range(9)), "token 11", "token 12", "token 13")


def test_a_game_of_pairs_is_halved_exactly_by_an_order_and_its_reverse():
    pairs = np.random.default_rng(1).normal(size=(12, 12)) / 50

    def value(there):
        return additive(there) + there @ pairs @ there

    shap, _ = play(value, permutations=2)
    np.testing.assert_allclose(shap.values, WORTH + (pairs + pairs.T).sum(axis=1) / 2, atol=1e-12)


def test_any_small_game_comes_near_the_mean_over_all_orders():
    table = np.random.default_rng(2).random(2**6)

    def value(there):
        return table[int("".join(map(str, there.astype(int))), 2)]

    shap, _ = play(value, permutations=400, grid=(2, 2), words=2)
    wanted = exact_shapley(value, 6)
    assert (np.abs(shap.values - wanted) <= 4 * shap.error + 1e-12).all()
    np.testing.assert_allclose(shap.values, wanted, atol=0.05)


@pytest.mark.parametrize("permutations", [2, 5])
def test_values_sum_to_what_there_is_to_share(permutations):
    rng = np.random.default_rng(3)
    seen = {}

    def value(there):
        return seen.setdefault(there.tobytes(), rng.random())

    shap, vlm = play(value, permutations)
    assert shap.values.sum() == pytest.approx(shap.whole - shap.alone)
    assert shap.whole == value(np.ones(12, bool))
    assert shap.alone == value(np.zeros(12, bool))
    assert vlm.asked <= 2 * permutations * 11 + 2  # nobody is asked twice
    assert len(seen) == vlm.asked


def test_whoever_changes_nothing_is_worth_nothing():
    shap, _ = play(lambda there: 0.2 + 0.5 * (there[0] and there[9]))
    assert shap.values[[0, 9]] == pytest.approx(0.25)
    np.testing.assert_allclose(np.delete(shap.values, [0, 9]), 0, atol=1e-12)
    assert shap.text_share == pytest.approx(0.5)
    nothing, _ = play(lambda there: 0.5)
    assert math.isnan(nothing.text_share)


@pytest.mark.parametrize(
    ("grid", "players"), [((3, 3), 9), ((6, 6), 9), ((7, 4), 9), ((2, 5), 6), ((1, 1), 1), ((24, 24), 9)]
)
def test_every_picture_token_belongs_to_one_region(grid, players):
    cells = grid[0] * grid[1]

    def value(there):
        return there[:cells].mean()

    shap, _ = play(value, permutations=2, grid=grid)
    assert shap.image.sum() == players <= REGIONS**2
    assert shap.values[shap.image].sum() == pytest.approx(1)
    sizes = shap.values[shap.image] * cells
    np.testing.assert_allclose(sizes, sizes.round(), atol=1e-9)
    assert sizes.round().sum() == cells


# On a real model


def test_the_region_that_holds_what_is_asked_about_counts_most(concat):
    for cell, other, color in ((0, 8, "red"), (4, 2, "blue"), (7, 3, "green")):
        scene = Scene((Thing(cell, color, "circle", "large"), Thing(other, "yellow", "square", "large")))
        question = "what color is the circle"
        prepared = concat.prepare(as_image(scene), question)
        trace = concat.inspect(scene, question)
        assert trace.answer == color
        shap = mm_shap(concat, scene, question, trace.answers[0].candidate, permutations=6)
        assert shap.values[shap.image].argmax() == cell  # nine regions are the nine cells of the board
        assert 0 < shap.text_share < 1
        assert shap.values.sum() == pytest.approx(shap.whole - shap.alone, abs=1e-6)
        assert shap.players[9:] == tuple(prepared.tokens[36:])
        frame = shap.to_frame()
        assert list(frame) == ["player", "value", "error", "image"]
        np.testing.assert_array_equal(frame["value"], shap.values)


def test_a_models_items_can_be_ranked(concat, scenes):
    found = interventional(
        concat, scenes[:4], ["what color is the circle", "is there a red star", "what size is the star"]
    )
    frame = ranked(found)
    assert len(frame) == 12
    assert frame["probability"].between(0, 1).all()
    assert set(frame["picture"]) == {0, 1, 2, 3}
