"""What the readings show of a ruler, on readings whose nature is known; and the committed table."""

from dataclasses import replace

import numpy as np
import pytest

from vlmlens.errors import UserError
from vlmlens.rulers import RULERS, Bench, Reading, lab_ensemble
from vlmlens.rulers.nature import agreement, alike, between, concordance, nature, rank_correlation
from vlmlens.rulers.subjects import subjects
from vlmlens.rulers.table import Row, shipped
from vlmlens.rulers.truth import TRUTHS, judge

WIRINGS = ("one", "two", "three", "four")


def row(family, seed, share, effect, group="wiring", dial=0.0):
    effects = {"knockout": effect, "drop": effect, "donor": effect}
    readings = {"r": Reading(share, np.nan, np.nan, 1, "" if share == share else "none")}
    return Row(f"{family}@{seed}{dial}", family, group, family, seed, dial, "", effects, readings)


def table(by_wiring, by_dial):
    rng = np.random.default_rng(0)
    trained = [
        row(family, seed, by_wiring(place) + 0.01 * rng.normal(), 0.9 + 0.01 * rng.normal())
        for place, family in enumerate(WIRINGS)
        for seed in range(3)
    ]
    graded = [row("dial", 0, by_dial(effect), effect, "graded", 1 - effect) for effect in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return [*trained, *graded]


@pytest.mark.parametrize(
    ("by_wiring", "by_dial", "shown"),
    [
        (lambda place: 0.2 * place, lambda effect: 0.5, "wiring"),
        (lambda place: 0.5, lambda effect: 0.6 * effect, "use"),
        (lambda place: 0.2 * place, lambda effect: effect**2, "both"),
        (lambda place: 0.5, lambda effect: 0.5, "neither"),
        (lambda place: 0.5, lambda effect: 0.05 * effect, "neither"),  # goes along, but hardly moves
        (lambda place: np.nan, lambda effect: effect, "cannot say"),
    ],
)
def test_a_planted_nature_is_found(by_wiring, by_dial, shown):
    assert nature("r", table(by_wiring, by_dial)).measures == shown


def test_a_wiring_that_is_used_otherwise_is_not_compared():
    rows = [*table(lambda place: 0.5, lambda effect: effect), row("late", 0, 0.0, 0.2)]
    assert "late" not in {each.family for each in alike(rows)}
    assert nature("r", rows).measures == "use"


def test_dealing_at_random_finds_nothing_too_often():
    rng = np.random.default_rng(1)
    found = [between([rng.normal(size=3) for _ in range(4)])[1] for _ in range(200)]
    assert np.mean(np.array(found) < 0.05) < 0.1


def test_rank_correlation_equals_scipys():
    from scipy.stats import spearmanr

    x, y = np.random.default_rng(2).integers(0, 5, (2, 30)).astype(float)
    assert rank_correlation(x, y) == pytest.approx(spearmanr(x, y).statistic)
    assert rank_correlation(np.ones(5), y[:5]) == 0
    assert np.isnan(rank_correlation(x[:2], y[:2]))


def test_concordance_counts_pairs():
    x = np.array([0.0, 0.2, 0.5, 0.9])
    assert concordance(x, x) == 1
    assert concordance(x, -x) == -1
    assert concordance(x, np.array([0.1, 0.4, 0.401, 0.399])) == 1  # what hardly differs is tied
    assert concordance(x, np.array([0.0, 0.2, 0.1, 0.3])) == pytest.approx(4 / 6)  # five pairs agree, one does not
    assert concordance(x, np.full(4, 0.5)) == 0
    assert np.isnan(concordance(x[:1], x[:1]))


def test_a_ruler_that_is_the_effect_agrees_in_every_draw():
    rows = [
        row(family, seed, effect, effect)
        for family, effect in zip(WIRINGS, (0.1, 0.4, 0.6, 0.9), strict=True)
        for seed in (0, 1)
    ]
    found = agreement("r", rows)
    assert (found.correlation, found.low, found.high, found.models) == (1, 1, 1, 4)
    assert np.isnan(agreement("r", rows[:2]).correlation)


def test_verdicts():
    reading = Reading(0.5, 0.45, 0.55, 10)
    assert judge(reading, 0.48, 0.05) == "PASS"
    assert judge(reading, 0.0, 0.05) == "FAIL"
    assert judge(reading, 0.41, 0.05) == "INCONCLUSIVE"
    assert judge(replace(reading, share=float("nan"), why="none"), 0.5, 0.1) == "n/a"


def test_every_ruler_says_what_it_is():
    for name, ruler in RULERS.items():
        assert ruler.name == name
        assert ruler.nature in ("wiring", "use", "both")
        assert all(len(text) > 8 for text in (ruler.definition, ruler.formula, ruler.paper, ruler.cannot))


def test_a_missing_or_broken_table_is_told_in_words(tmp_path):
    with pytest.raises(UserError, match="Not measured yet"):
        shipped(tmp_path / "none.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(UserError, match="Not measured yet"):
        shipped(tmp_path / "broken.json")


def test_the_table_holds_every_planted_truth_by_every_ruler():
    found = shipped()
    assert {row.model for row in found.of("planted")} == set(TRUTHS)
    keys = [row.key for row in found.rows]
    assert len(keys) == len(set(keys))
    assert set(keys) <= {subject.key for subject in subjects()}
    for each in found.rows:
        assert set(each.readings) == set(RULERS)
        assert all(reading.told or reading.why for reading in each.readings.values())


@pytest.mark.parametrize("name", TRUTHS)
def test_recorded_verdicts_are_what_is_computed(name, model):
    """The cheap rulers, over the very ensemble that was recorded."""
    recorded = next(row for row in shipped().rows if row.model == name)
    bench = Bench(model(name), lab_ensemble(samples=0))
    truth = TRUTHS[name]
    expected = truth.expected(bench.found.table)
    assert recorded.expected == pytest.approx(expected, abs=1e-3)
    for ruler in ("donor behavior", "interventional PID", "attention", "contribution budget"):
        reading = RULERS[ruler].measure(bench)
        assert recorded.verdicts[ruler] == judge(reading, expected, truth.tolerance), ruler
        assert recorded.share(ruler) == pytest.approx(reading.share, abs=2e-3, nan_ok=True)
