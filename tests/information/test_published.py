"""The published protocol on planted token rows gives what was planted, and its controls tell what was arbitrary."""

import importlib
import itertools
import json

import numpy as np
import pytest
from PIL import Image

from vlmlens.information import GATES, InformationError
from vlmlens.information.published import (
    AS_PUBLISHED,
    NOISE,
    OTHER_TEXT,
    REPAIRED,
    REPAIRINGS,
    Published,
    Row,
    protocol,
    published,
)

module = importlib.import_module("vlmlens.information.published")  # the package may have a function of this name
A, B = np.indices((2, 2)).reshape(2, 4).repeat(6, axis=1)  # every pair of bits, six times


def rows(labels: np.ndarray, width: int = 12) -> np.ndarray:
    """Token states that can be clustered in one way only."""
    return np.eye(width)[labels]


def parts(row: Row) -> list[float]:
    return [row.unique_image, row.unique_text, row.redundant, row.synergistic]


def run(control: str, share: float) -> Row:
    return Row(control, share, 1 - share, 0.0, 0.0, share, 10)


# Planted rows


@pytest.mark.parametrize("name", ["AND", "XOR", "COPY", "UNQ"])
def test_rows_that_are_a_gate_give_the_gates_truth(name):
    outputs = [GATES[name].output(int(a), int(b)) for a, b in zip(A, B, strict=True)]
    known = list(dict.fromkeys(outputs))
    output = np.array([known.index(each) for each in outputs])
    found = protocol(rows(A), rows(B), rows(output))
    np.testing.assert_allclose(parts(found), GATES[name].truth, atol=1e-5)
    assert found.rows == len(A)


def test_one_sequence_three_times_is_redundant_through_and_through():
    states = np.random.default_rng(0).normal(size=(30, 16))
    found = protocol(states, states, states)
    labels = module._clustered(states, 0)
    share = np.bincount(labels) / len(labels)
    np.testing.assert_allclose(parts(found), [0, 0, -(share * np.log2(share)).sum(), 0], atol=1e-5)
    assert np.isnan(found.image_share)


def test_rows_that_have_nothing_to_do_with_each_other_tell_nothing():
    one, two, three = np.indices((2, 2, 2)).reshape(3, 8).repeat(3, axis=1)
    np.testing.assert_allclose(parts(protocol(rows(one), rows(two), rows(three))), 0, atol=1e-5)


def test_what_only_the_picture_tells_has_all_the_share():
    assert protocol(rows(A), rows(B), rows(A)).image_share == pytest.approx(1, abs=1e-4)
    assert protocol(rows(B), rows(A), rows(A)).image_share == pytest.approx(0, abs=1e-4)


def test_the_length_of_a_state_does_not_matter():
    rng = np.random.default_rng(0)
    sides = [rng.normal(size=(40, 8)) for _ in range(3)]
    longer = [side * rng.uniform(0.5, 20, (40, 1)) for side in sides]
    np.testing.assert_allclose(parts(protocol(*sides)), parts(protocol(*longer)), atol=1e-5)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_with_few_rows_there_are_fewer_clusters(count):
    rng = np.random.default_rng(count)
    found = protocol(rng.normal(size=(40, 8)), rng.normal(size=(count, 8)), rng.normal(size=(40 + count, 8)))
    assert found.rows == count
    assert np.isfinite(parts(found)).all()
    assert sum(parts(found)) == pytest.approx(np.log2(count), abs=1e-5)  # every row its own cluster


def test_longer_sides_are_cut_to_the_shortest():
    text, image = np.eye(4, 12), np.eye(6, 12).repeat(9, axis=0)
    assert protocol(image, text, image).rows == 4
    assert len(module._shortened(image, 4, 0)) == 4
    assert module._shortened(text, 4, 0) is text


# The control that pairs anew


def test_pairing_anew_leaves_every_side_as_it_was(monkeypatch):
    tables = []
    decompose = module.decompose
    monkeypatch.setattr(module, "decompose", lambda table, *more: tables.append(table) or decompose(table, *more))
    rng = np.random.default_rng(0)
    sides = [rng.normal(size=(36, 8)) for _ in range(3)]
    protocol(*sides)
    protocol(*sides, control=REPAIRED)
    before, after = tables
    assert before.sum() == after.sum() == 36
    for side in range(3):
        rest = tuple({0, 1, 2} - {side})
        np.testing.assert_array_equal(before.sum(axis=rest), after.sum(axis=rest))
    assert (before != after).any()


def test_pairing_anew_takes_a_planted_relation_away():
    big_a, big_b = A.repeat(20), B.repeat(20)
    planted = protocol(rows(big_a), rows(big_b), rows(big_a))
    anew = protocol(rows(big_a), rows(big_b), rows(big_a), control=REPAIRED)
    assert planted.unique_image == pytest.approx(1, abs=1e-5)
    assert sum(parts(anew)) < 0.05
    assert anew.control == REPAIRED


def test_the_same_seed_runs_the_same():
    rng = np.random.default_rng(0)
    sides = [rng.normal(size=(30, 8)) for _ in range(3)]
    assert protocol(*sides, seed=2, control=REPAIRED) == protocol(*sides, seed=2, control=REPAIRED)


# The protocol on a model


class Planted:
    """Stands for a model: its output's rows follow the picture's, as many as its question has letters."""

    def __init__(self) -> None:
        self.asked = []

    def image(self, picture):
        return picture

    def token_states(self, picture, question):
        pixels = np.asarray(picture)
        self.asked.append((pixels, question))
        bits = (pixels[:, :, 0] > 127).ravel().astype(int)
        return rows(bits), rows(np.resize([0, 0, 1], len(question))), rows(bits)


def test_every_control_changes_what_it_says():
    vlm, picture = Planted(), Image.fromarray(np.full((6, 4, 3), 200, np.uint8))
    found = published(vlm, picture, "a" * 24, other_questions=["b" * 24, "c" * 24])
    assert [len(found.of(control)) for control in (AS_PUBLISHED, REPAIRED, NOISE, OTHER_TEXT)] == [1, REPAIRINGS, 3, 2]
    assert len(found.runs) == REPAIRINGS + 6
    own = [(pixels, question) for pixels, question in vlm.asked if (pixels == 200).all()]
    assert [question for _, question in own] == ["a" * 24, "b" * 24, "c" * 24]
    noises = [pixels for pixels, _ in vlm.asked if not (pixels == 200).all()]
    assert len(noises) == 3
    assert all(pixels.shape == (6, 4, 3) for pixels in noises)
    assert all((a != b).any() for a, b in itertools.pairwise(noises))
    for noise in found.of(NOISE):  # a plain picture's rows are all alike; noise's tell which is which
        assert noise.unique_image + noise.redundant == pytest.approx(1, abs=0.2)
    assert sum(parts(found.of(AS_PUBLISHED)[0])) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", ["lab:concat", "lab:llava"])
def test_a_model_runs_through_it(model, scenes, name):
    found = published(model(name), scenes[0], "what color is the circle", ["how many objects are there"])
    frame = found.to_frame()
    assert list(frame["control"].unique()) == [AS_PUBLISHED, REPAIRED, NOISE, OTHER_TEXT]
    counted = frame["rows"].to_numpy()
    assert (counted[:-1] == counted[0]).all()
    values = frame[["unique_image", "unique_text", "redundant", "synergistic"]].to_numpy()
    assert (values >= -1e-5).all()
    assert (values.sum(axis=1) <= np.log2(min(10, counted[0])) + 1e-5).all()
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert len(data["runs"]) == len(frame)
    assert data["sentence"] == found.sentence()


# What it says


def test_a_figure_inside_its_controls_does_not_survive():
    found = Published((run(AS_PUBLISHED, 0.5), run(REPAIRED, 0.4), run(NOISE, 0.6)))
    assert "nothing survives the controls" in found.sentence()
    assert "**50 %**" in found.sentence()
    assert "40 to 60 %" in found.sentence()


@pytest.mark.parametrize("share", [0.39, 0.61])
def test_a_figure_outside_its_controls_does(share):
    sentence = Published((run(AS_PUBLISHED, share), run(REPAIRED, 0.4), run(OTHER_TEXT, 0.6))).sentence()
    assert "nothing survives" not in sentence
    assert "survives the controls" in sentence


def test_without_a_share_there_is_nothing_to_compare():
    nothing = float("nan")
    for whole, control in ((nothing, 0.5), (0.5, nothing)):
        found = Published((run(AS_PUBLISHED, whole), run(REPAIRED, control)))
        assert found.sentence().startswith("n/a")
        json.dumps(found.to_dict(), allow_nan=False)
    partly = Published((run(AS_PUBLISHED, 0.5), run(REPAIRED, nothing), run(REPAIRED, 0.5)))
    assert "nothing survives" in partly.sentence()


@pytest.mark.parametrize(
    ("image", "text", "output", "word"),
    [
        (np.eye(5), np.eye(1, 5), np.eye(6, 5), "at least two tokens"),
        (np.eye(5), np.eye(0, 5), np.eye(6, 5), "at least two tokens"),
        (np.eye(5), np.full((3, 5), np.nan), np.eye(6, 5), "finite"),
        (np.eye(5), np.ones(5), np.eye(6, 5), "axes"),
    ],
)
def test_states_that_cannot_be_paired_are_refused(image, text, output, word):
    with pytest.raises(InformationError, match=word):
        protocol(image, text, output)
