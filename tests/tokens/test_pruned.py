"""The answer before and after, which cells go on, the curve against chance."""

import numpy as np
import pytest

import vlmlens
from vlmlens.errors import NotApplicable
from vlmlens.lab.sample import take
from vlmlens.tokens.prune import count, prune
from vlmlens.tokens.pruned import Curve, compare, sweep, visible
from vlmlens.trace import Answer, Grid

ITEM = take("test", 5, 1)[0]
QUESTION = ITEM.question.text


@pytest.fixture(scope="module")
def vlm():
    return vlmlens.load("lab:llava")


def test_with_all_tokens_nothing_changes(vlm):
    effect = compare(vlm, ITEM.scene, QUESTION, 1.0, 1)
    assert effect.same
    assert effect.before == effect.after
    assert effect.before.text == ITEM.answer
    assert effect.probability == effect.before.probability
    assert effect.scores is None
    assert effect.stays.all()
    assert effect.shown.tolist() == [1.0] * 36


def test_what_is_said_of_the_pruned_model_is_what_it_says(vlm):
    effect = compare(vlm, ITEM.scene, QUESTION, 0.1, 1)
    assert effect.kept == 4 == effect.shown.sum()
    ready = vlm.prepare(vlm.image(ITEM.scene), QUESTION)
    with vlm.lock, prune(vlm, 0.1, 1):
        chances = vlm.run(ready, None)[0].softmax(-1)[0].double().numpy()
        assert effect.said_after == vlm.generate(ready)
    assert effect.after == vlm.rank(chances)[0]
    assert effect.probability == pytest.approx(chances[effect.before.candidate])
    assert set(np.argsort(-effect.scores)[:4]) == set(np.flatnonzero(effect.stays))
    assert np.array_equal(np.flatnonzero(effect.shown), np.flatnonzero(effect.stays))  # 36 tokens, row by row


def test_behind_a_resampler_a_cell_shows_what_the_queries_that_stay_read_of_it():
    grid = Grid.regular((1, 2), [0, 1], (20, 10))
    through = np.array([[0.75, 0.25], [0.25, 0.75]], np.float32)
    wide = np.array([[0, 0, 20, 10]] * 2, float)
    grid = Grid(grid.boxes, grid.positions, grid.size, grid.shape, wide, np.array([2, 3]), through)
    found = visible(grid, np.array([2, 3]), np.array([True, False]))
    np.testing.assert_allclose(found, [0.75, 0.25])
    np.testing.assert_allclose(visible(grid, np.array([2, 3]), np.array([True, True])), 1)


def test_the_curve_is_prune_at_every_share_and_the_control_grows_draw_by_draw(vlm):
    shares, draws = (1.0, 0.25, 0.0), 3
    curves = list(sweep(vlm, ITEM.scene, QUESTION, 1, shares, draws))
    assert len(curves) == 2 * len(shares) + draws  # with all or none of the tokens there is no chance
    last = curves[-1].found
    assert set(last["random"]) == {0.25}
    assert len(last["random"][0.25]) == draws
    assert last["attention"][0.0] == last["received"][0.0]
    assert last["attention"][1.0] == (curves[-1].answer.probability,)
    ready = vlm.prepare(vlm.image(ITEM.scene), QUESTION)
    for seed, value in enumerate(last["random"][0.25]):
        with vlm.lock, prune(vlm, 0.25, 1, "random", seed):
            logits = vlm.run(ready, None)[0]
        assert value == float(logits.softmax(-1)[0, curves[-1].answer.candidate])


def curve(value, draws):
    return Curve(Answer("red", 0.9, 3), 36, 1, {"attention": {0.5: (value,)}, "random": {0.5: tuple(draws)}})


def test_better_than_chance_is_a_rank_among_the_draws():
    assert curve(0.9, [0.1] * 20).verdict("attention", 0.5) == ("better than chance", 0, 20)
    assert curve(0.1, [0.9] * 20).verdict("attention", 0.5) == ("worse than chance", 20, 20)
    assert curve(0.9, [0.1] * 19 + [0.95]).verdict("attention", 0.5)[0] == "inconclusive"
    assert curve(0.9, [0.1] * 10).verdict("attention", 0.5)[0] == "inconclusive"  # too few draws to tell
    assert curve(0.9, [0.9] * 20).verdict("attention", 0.5)[0] == "inconclusive"  # all alike
    assert curve(0.9, []).verdict("attention", 0.5) == ("inconclusive", 0, 0)
    assert curve(0.9, [0.1] * 20).verdict("attention", 0.25)[0] == "inconclusive"


def test_chance_is_seldom_called_better_than_chance():
    rng = np.random.default_rng(0)
    called = [curve(rng.random(), rng.random(20)).verdict("attention", 0.5)[0] for _ in range(2000)]
    assert np.mean([word == "better than chance" for word in called]) < 0.065
    assert count(0.5, 36) == 18


def test_a_picture_of_one_token_and_a_model_without_are_refused_in_a_sentence(vlm, monkeypatch):
    with pytest.raises(NotApplicable, match="no image tokens in the sequence"):
        compare(vlmlens.load("lab:concat"), ITEM.scene, QUESTION, 0.5, 1)
    with pytest.raises(NotApplicable, match="no image tokens in the sequence"):
        next(sweep(vlmlens.load("lab:concat"), ITEM.scene, QUESTION, 1))
    monkeypatch.setattr("vlmlens.tokens.pruned.image_tokens", lambda *_: np.array([3]))
    with pytest.raises(NotApplicable, match=r"1 token .* nothing to rank"):
        next(sweep(vlm, ITEM.scene, QUESTION, 1))
