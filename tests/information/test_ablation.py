"""How often seeds show the published order, counted by hand; every ruler gives one reading of a model."""

import itertools
import json
import math

import numpy as np
import pytest
from scipy.stats import spearmanr

from vlmlens.information.ablation import ITEMS, PUBLISHED, PUBLISHED_TEXT, SCENES, ablate, order_probability, over_seeds

ORDER = sorted(PUBLISHED, key=lambda name: -PUBLISHED[name])


def shares(*by_rank) -> dict[str, list[float]]:
    """One list of shares for each wiring, the one published highest first."""
    return dict(zip(ORDER, by_rank, strict=True))


# The order


def test_the_published_order_itself_is_certain():
    order = order_probability({name: [share] * 3 for name, share in PUBLISHED.items()})
    assert (order.probability, order.correlation, order.draws) == (1, pytest.approx(1), 81)
    assert "**100 %**" in order.sentence()
    assert "+1.00" in order.sentence()


def test_the_order_turned_round_never_shows():
    order = order_probability({name: [-share] for name, share in PUBLISHED.items()})
    assert (order.probability, order.correlation, order.draws) == (0, pytest.approx(-1), 1)


def test_one_of_two_seeds_out_of_order_halves_it():
    order = order_probability(shares([0.9, 0.1], [0.6], [0.5], [0.4]))
    assert order.probability == 0.5
    assert order.draws == 2


@pytest.mark.parametrize("seed", range(5))
def test_every_combination_of_seeds_is_counted(seed):
    rng = np.random.default_rng(seed)
    drawn = shares(*(rng.normal(-rank / 2, 1, rng.integers(1, 4)).tolist() for rank in range(4)))
    order = order_probability(drawn)
    combinations = list(itertools.product(*(drawn[name] for name in ORDER)))
    right = sum(a > b > c > d for a, b, c, d in combinations)
    assert order.draws == len(combinations)
    assert order.probability == pytest.approx(right / len(combinations))
    means = [np.mean(drawn[name]) for name in ORDER]
    assert order.correlation == pytest.approx(spearmanr(means, [PUBLISHED[name] for name in ORDER]).statistic)


def test_by_chance_alone_one_of_twenty_four_orders_is_right():
    right = [order_probability(shares(*([x] for x in p))).probability for p in itertools.permutations(range(4))]
    assert np.mean(right) == pytest.approx(1 / 24)


def test_a_tie_is_not_the_published_order():
    assert order_probability(shares([0.9], [0.6], [0.6], [0.4])).probability == 0
    assert order_probability(shares([0.9], [0.6, 0.7], [0.6], [0.4])).probability == 0.5


@pytest.mark.parametrize("tied", [(0.9, 0.6, 0.6, 0.4), (0.4, 0.6, 0.6, 0.9), (0.5, 0.5, 0.5, 0.4)])
def test_ties_have_the_rank_correlation_that_spearman_gives_them(tied):
    order = order_probability(shares(*([x] for x in tied)))
    assert order.correlation == pytest.approx(spearmanr(tied, [4, 3, 2, 1]).statistic)


def test_wirings_that_are_all_alike_have_no_rank_correlation():
    order = order_probability(shares([0.5], [0.5], [0.5], [0.5]))
    assert order.probability == 0
    assert not order.correlation < 0  # which way they are ordered cannot be told


@pytest.mark.parametrize("lacking", [{}, {"concat": []}, {"concat": [float("nan")] * 3}])
def test_a_wiring_without_a_share_leaves_nothing_to_say(lacking):
    order = order_probability({name: [0.5] for name in ORDER if name != "concat"} | lacking)
    assert math.isnan(order.probability)
    assert math.isnan(order.correlation)
    assert order.draws == 0
    assert order.sentence() == "n/a: no share can be told for concat"


def test_seeds_without_a_share_are_left_out():
    with_gap = order_probability(shares([0.9, float("nan")], [0.6], [0.5], [0.4]))
    assert (with_gap.probability, with_gap.draws, with_gap.why) == (1, 1, "")


def test_another_published_table_may_be_asked_for():
    order = order_probability({"a": [1.0, 3.0], "b": [2.0], "c": [9.0]}, {"a": 0.7, "b": 0.1})
    assert (order.probability, order.draws) == (0.5, 2)


def test_published_shares_are_shares():
    assert all(0 < share < 1 for share in (*PUBLISHED.values(), *PUBLISHED_TEXT.values()))


# The rulers


@pytest.fixture(scope="module")
def readings(model):
    return list(ablate(model, ["lab:concat@1"], items=400, k=3))


def test_every_ruler_reads_the_model(readings, model):
    assert {(row.model, row.wiring, row.seed) for row in readings} == {("lab:concat@1", "concat", 1)}
    acting = [(row.ruler, row.kind, row.point) for row in readings if row.ruler != "representational"]
    assert acting == [(ruler, kind, "input") for kind in ("color", "any") for ruler in ("interventional", "behaviour")]
    points = [row.point for row in readings if row.ruler == "representational"]
    assert points == list(model("lab:concat@1").points)
    assert len({row.accuracy for row in readings}) == 1


def test_readings_hold_shares_bits_and_json(readings):
    for row in readings:
        data = json.loads(json.dumps(row.to_dict(), allow_nan=False))
        assert data["model"] == row.model
        assert math.isnan(row.share) or 0 <= row.share <= 1
        assert 0.5 < row.accuracy <= 1
        if row.ruler != "representational":
            assert min(row.unique_image, row.unique_text, row.redundant, row.synergistic) > -1e-5
        if row.ruler == "interventional":
            assert row.share == pytest.approx(row.unique_image / (row.unique_image + row.unique_text), abs=1e-3)


def test_the_accuracy_is_that_of_its_own_answers(readings, model):
    from vlmlens.lab.sample import take

    probe = take("test", 0, 400, kinds=("color",))
    answers = model("lab:concat@1").answer_many([i.scene for i in probe], [i.question.text for i in probe])
    right = np.mean([answer == item.answer for answer, item in zip(answers, probe, strict=True)])
    assert readings[-1].accuracy == pytest.approx(right)
    assert ITEMS >= 400
    assert SCENES >= 2


def test_the_interval_over_seeds_is_students():
    mean, low, high = over_seeds([0.4, 0.5, 0.6, float("nan")])
    half = 4.3027 * 0.1 / np.sqrt(3)  # two degrees of freedom
    assert (mean, low, high) == pytest.approx((0.5, 0.5 - half, 0.5 + half), abs=1e-4)
    assert np.isnan(over_seeds([0.4])[1:]).all()
    assert np.isnan(over_seeds([])).all()
