"""Every test passes a model that was built to pass it, and fails one that was built to fail it."""

import json

import numpy as np
import pytest
from PIL import Image

from vlmlens.diagnostics import TESTS, compare, run
from vlmlens.diagnostics.diagnosis import of_card
from vlmlens.models import as_image
from vlmlens.models.lab import LabVLM

FAILS = {  # uncertainty: see below
    "dependency": "planted:blind",
    "override": "planted:text-overrides",
    "consistency": "planted:blind",
    "sensitivity": "planted:blind",
    "information": "planted:blind",
    "context": "planted:decays",
}
PASSES = dict.fromkeys(TESTS, "planted:text-overrides") | {"override": "planted:decays"}


@pytest.mark.parametrize("test", TESTS)
def test_it_passes_what_uses_the_picture(card, test):
    row = card(PASSES[test]).row(test)
    assert row.verdict == "PASS", row.sentence
    assert row.q < 0.05
    assert row.interval[0] <= row.effect <= row.interval[1]


@pytest.mark.parametrize("test", FAILS)
def test_it_fails_what_does_not(card, test):
    row = card(FAILS[test]).row(test)
    assert row.verdict == "FAIL", row.sentence


class Doubting(LabVLM):
    """lab:concat, far less sure of anything with things on it."""

    def crossed(self, pictures, questions, lens=False):
        for where, logits in super().crossed(pictures, questions, lens):
            yield where, logits / doubts(pictures[where.start])

    def probabilities(self, pictures, questions):
        power = super().probabilities(pictures, questions) ** (1 / np.array([[doubts(p)] for p in pictures]))
        return power / power.sum(axis=1, keepdims=True)


def doubts(picture):
    coarse = np.asarray(as_image(picture).resize((9, 9), Image.Resampling.BOX), float)
    return 6.0 if coarse.std() > 15 else 1.0  # random pixels, seen from afar, are as good as blank


def test_it_fails_what_a_picture_makes_less_certain(small_probe):
    found = run(Doubting("lab:concat"), small_probe, "uncertainty")
    assert found.row("dependency").verdict == "PASS"
    assert found.row("uncertainty").verdict == "FAIL", found.row("uncertainty").sentence


def test_a_blind_model_has_nothing_that_could_be_less_certain(card):
    found = card("planted:blind")
    assert [found.row(name).verdict for name in ("uncertainty", "context")] == ["VACUOUS", "VACUOUS"]
    assert found.row("dependency").effect == pytest.approx(0, abs=1e-9)
    assert found.row("information").effect == pytest.approx(0, abs=1e-6)


def test_the_diagnosis_names_them(card):
    assert card("planted:text-overrides").diagnosis.name == "overruled"
    assert card("planted:decays").diagnosis.name == "used"
    assert card("planted:blind").diagnosis.name == "not seen"
    counts = card("planted:decays").diagnosis.counts
    assert counts["used"] > 0.8 * sum(counts.values())


def test_a_probe_tells_the_eyes_of_one_from_the_blindfold_of_the_other(card):
    seeing, blind = (card(name).diagnosis.probe for name in ("planted:decays", "planted:blind"))
    assert seeing["accuracy"] > seeing["control"] + 0.3
    assert blind["accuracy"] == blind["control"]


class _Row:
    def __init__(self, verdict):
        self.verdict = verdict


@pytest.mark.parametrize(
    ("dependency", "override", "tells", "follows", "name"),
    [
        ("FAIL", "FAIL", True, False, "seen, ignored"),
        ("FAIL", "FAIL", False, False, "not seen"),
        ("FAIL", "FAIL", None, None, "language prior"),
        ("INCONCLUSIVE", "PASS", True, True, "undecided"),
        ("PASS", "PASS", True, False, "seen, ignored"),
        ("PASS", "PASS", False, False, "not seen"),
        ("PASS", "FAIL", True, True, "overruled"),
        ("PASS", "INCONCLUSIVE", True, True, "used"),
        ("PASS", "INCONCLUSIVE", None, None, "used"),
    ],
)
def test_the_labels_follow_from_verdicts(dependency, override, tells, follows, name):
    rows = {"dependency": _Row(dependency), "override": _Row(override), "consistency": _Row("FAIL")}
    assert of_card(rows, tells, follows) == name


def test_the_card_is_json_and_a_table(card):
    found = json.loads(json.dumps(card("planted:decays").to_dict(), allow_nan=False))
    assert [row["name"] for row in found["tests"]] == list(TESTS)
    assert found["diagnosis"] == "used"
    assert {"name", "verdict", "effect", "interval", "n"} <= set(found["tests"][0])
    frame = card("planted:decays").to_frame()
    assert list(frame["test"]) == list(TESTS)
    assert "used" in card("planted:decays").sentence().lower()


def test_evidence_names_items_of_the_probe_set(card, small_probe):
    for row in card("planted:decays").rows:
        assert row.evidence, row.name
        for one in row.evidence:
            assert one.truth == small_probe.answers[one.picture, one.question]
            assert small_probe.questions[one.question] in one.text
            assert all(isinstance(value, str) or np.isfinite(value) for value in one.numbers.values())


def test_two_cards_differ_where_their_models_do(card):
    changes = {c.name: c for c in compare(card("planted:text-overrides"), card("planted:decays"))}
    assert changes["override"].differs
    assert changes["override"].difference > 0.5
    assert changes["context"].differs
    assert not changes["dependency"].differs  # without context they are the same model
    assert changes["dependency"].paired
    assert changes["dependency"].interval == pytest.approx((0, 0), abs=1e-6)


def test_the_dial_of_doses_rises(card):
    doses = list(card("planted:decays").row("sensitivity").details["doses"].values())
    assert doses[0] == 0
    assert doses == sorted(doses)
