"""What was measured of the wirings, read back and judged: planted tables must come out as they were planted."""

import json

import numpy as np
import pytest
from scipy.stats import tukey_hsd

from vlmlens.information.ablation import PUBLISHED, Reading
from vlmlens.information.against_published import EFFECT, against_published, told
from vlmlens.information.claims import CLAIMS, Measured, judge
from vlmlens.information.measured import ALIKE, HOME, ablation, conditions, differ
from vlmlens.lab.cards import Card, Cards
from vlmlens.lab.cost import cost
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import KINDS


def test_the_table_is_the_file():
    raw = json.loads((HOME / "conditions.json").read_text())["rows"]
    table = conditions()
    assert len(table.rows) == len(raw)
    for condition in table.names:
        found = table.values(condition, "accuracy")
        for wiring in table.wirings:
            wanted = [r["held_out"]["accuracy"] for r in raw if (r["condition"], r["wiring"]) == (condition, wiring)]
            assert found[wiring] == wanted
    acting = [own for row in table.rows for own in row.by_kind.values() if own.image_share == own.image_share]
    assert all(max(own.image_effect, own.question_effect) > 0.02 for own in acting)


def test_the_largest_difference_is_tukeys():
    rng = np.random.default_rng(0)
    values = {name: list(rng.normal(mean, 0.05, 4)) for name, mean in (("a", 0.2), ("b", 0.5), ("c", 0.55))}
    found = differ(values)
    theirs = tukey_hsd(*values.values()).confidence_interval(0.95)
    assert found.pair[0] == "a"
    other = list(values).index(found.pair[1])
    assert (found.low, found.high) == pytest.approx((theirs.low[other, 0], theirs.high[other, 0]), abs=1e-4)
    assert found.word == "differ"


def test_wirings_that_do_not_differ_are_said_to_differ_in_five_percent_of_studies():
    rng = np.random.default_rng(1)
    words = [differ({n: list(rng.normal(0.5, 0.03, 3)) for n in "abcd"}).word for _ in range(400)]
    assert words.count("differ") <= 32  # 400 x .05, and what chance adds


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"a": [0.5], "b": [0.9]}, "cannot say"),
        ({"a": [0.5, 0.5], "b": [0.9]}, "cannot say"),
        ({"a": [0.50, 0.501, 0.5], "b": [0.51, 0.511, 0.509]}, "differ"),
        ({"a": [0.50, 0.501], "b": [0.5, 0.502]}, "alike"),
        ({"a": [0.3, 0.7], "b": [0.4, 0.9]}, "cannot say"),
    ],
)
def test_a_difference_is_told_only_where_it_can_be(values, word):
    found = differ(values)
    assert found.word == word
    assert word in found.sentence("the shares").lower()
    assert word != "alike" or found.high < ALIKE


def reading(wiring, seed, share):
    return Reading(f"lab:{wiring}@{seed}", wiring, seed, "color", "behaviour", "input", share, *[np.nan] * 7)


def planted(shares):
    return [reading(name, seed, share) for name, values in shares.items() for seed, share in enumerate(values)]


@pytest.mark.parametrize(
    ("high", "low", "verdict"),
    [
        ((0.55, 0.56, 0.54), (0.38, 0.39, 0.39), "confirmed"),
        ((0.95, 0.96, 0.94), (0.38, 0.39, 0.39), "same direction"),
        ((0.50, 0.51, 0.50), (0.50, 0.50, 0.51), "contradicted"),
        ((0.38, 0.39, 0.38), (0.55, 0.56, 0.55), "contradicted"),
        ((0.2, 0.9, 0.6), (0.1, 0.8, 0.4), "cannot say"),
        ((0.5,), (0.3,), "cannot say"),
        ((0.5, 0.5), (0.5, 0.5), "contradicted"),
    ],
)
def test_the_published_table_is_judged_as_planted(high, low, verdict):
    rest = {"concat": (0.45, 0.46), "bidirectional": (0.54, 0.55)}
    (found,) = against_published(planted({"img2txt": high, "txt2img": low, **rest}))
    assert found.verdict == verdict
    assert verdict in found.sentence()
    assert f"{verdict} in 1 of 1" in told([found])


def test_the_published_effect_is_the_published_one():
    assert pytest.approx(0.168) == EFFECT
    assert {row.ruler for row in against_published(ablation()[0])} == {
        "behaviour",
        "interventional",
        "representational",
    }
    assert set(PUBLISHED) <= set(WIRINGS)


@pytest.fixture(scope="module")
def costs():
    return {name: cost(LabModel(name)) for name in WIRINGS}


def carded(wiring, **by):
    kinds = dict.fromkeys(KINDS, 1.0) | by
    cards = tuple(Card(seed, 0.9, 0.3, kinds, 2000, (0, 0.3), 0.5, 100, 9.0, 0.9) for seed in range(3))
    return Cards(wiring, cards, ())


@pytest.mark.parametrize("wiring", [name for name, claim in CLAIMS.items() if claim.kinds])
def test_a_claim_about_questions_is_confirmed_contradicted_or_open(wiring, costs):
    kind = CLAIMS[wiring].kinds[0]

    def word(cards):
        return judge(wiring, Measured({wiring: cards}, costs, conditions())).word

    assert word(carded(wiring, **{kind: 0.5})) == "confirmed"
    assert word(carded(wiring)) == "contradicted"
    assert word(carded(wiring, **{kind: 0.972})) == "cannot say"
    assert word(Cards(wiring, (), (0, 1, 2))) == "not measured"
    other = next(kind for kind in KINDS if kind not in CLAIMS[wiring].kinds)
    assert word(carded(wiring, **{other: 0.2})) == "contradicted", "it is not said of these"


@pytest.mark.parametrize("wiring", WIRINGS)
def test_every_wiring_has_a_claim_that_can_be_judged(wiring, costs):
    from vlmlens.lab.cards import cards

    found = judge(wiring, Measured({name: cards(name) for name in WIRINGS}, costs, conditions()))
    assert CLAIMS[wiring].told in found.sentence
    assert found.word in ("confirmed", "contradicted", "cannot say", "not measured")


def test_a_cost_is_judged_by_the_count(costs):
    cheap = {name: costs["txt2img"] for name in WIRINGS}
    found = judge("concat", Measured({}, cheap, conditions()))
    assert found.word == "contradicted"
    assert judge("concat", Measured({}, cheap | {"concat": costs["bidirectional"]}, conditions())).word == "confirmed"
