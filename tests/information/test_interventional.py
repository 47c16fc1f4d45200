"""Every pair is asked and counted as it should be: a brute-force twin, planted sets, and divergences by hand."""

import importlib
import json

import numpy as np
import pytest
import torch
from scipy.spatial.distance import jensenshannon

from vlmlens.information import GATES, InformationError, decompose, gate
from vlmlens.information.interventional import effect, growing, interventional
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.planted_scenes import PLANTED, planted
from vlmlens.models import as_image

QUESTIONS = (
    "what color is the circle",
    "how many objects are there",
    "is the square left of the star",
    "is there a red star",
)  # of different lengths
ATOMS = ("unique_1", "unique_2", "redundant", "synergistic")
# Those that bind: what pools before picture and words meet shows what it was not planted with.
MODELS = (*(f"lab:{name}" for name, wiring in WIRINGS.items() if not wiring.ceiling), "lab:llava")


def atoms(pid) -> list[float]:
    return [getattr(pid, atom) for atom in ATOMS]


def brute_force(vlm, pictures, questions) -> np.ndarray:
    """p(y | picture, question) one pair at a time."""
    rows = [[vlm.run(vlm.prepare(as_image(p), q), None)[0][0].double().softmax(0) for q in questions] for p in pictures]
    return torch.stack([torch.stack(row) for row in rows]).numpy()


class Table:
    """Stands for a model: answers by a table of probabilities [picture, question, answer]; pictures are numbers."""

    def __init__(self, table: np.ndarray, at_once: int = 1) -> None:
        self.table, self.at_once = np.asarray(table, float), at_once

    def crossed(self, pictures, questions, lens=False):
        for start in range(0, len(pictures), self.at_once):
            part = slice(start, min(start + self.at_once, len(pictures)))
            yield part, torch.from_numpy(np.log(self.table[part] + 1e-300))[None]

    def answer_text(self, candidate: int) -> str:
        return f"answer {candidate}"


def asked(table: np.ndarray, at_once: int = 1, **options):
    return interventional(Table(table, at_once), range(len(table)), [f"q{i}" for i in range(table.shape[1])], **options)


def random_table(seed: int, shape=(5, 4, 3)) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.full(shape[-1], 0.4), shape[:2])


# The model's answers to every pair


@pytest.mark.parametrize("name", ["lab:concat", "lab:llava"])
def test_it_equals_asking_one_pair_at_a_time(model, scenes, name):
    vlm, pictures = model(name), scenes[:4]
    found = interventional(vlm, pictures, QUESTIONS)
    table = brute_force(vlm, pictures, QUESTIONS)
    np.testing.assert_allclose(found.table, table, atol=1e-6)
    twin = decompose(found.weights[:, :, None] * table, 1e-8)
    np.testing.assert_allclose(atoms(found.pid), atoms(twin), atol=1e-6 + found.pid.gap)
    assert found.questions == QUESTIONS
    assert found.answers[int(table[0, 0].argmax())] == vlm.inspect(pictures[0], QUESTIONS[0]).answer


@pytest.mark.parametrize("truth", PLANTED)
@pytest.mark.parametrize("name", MODELS)
def test_what_was_planted_is_what_the_model_shows(model, name, truth):
    pictures, questions, weights = planted(truth)
    pid = interventional(model(name), pictures, questions, weights=weights).pid
    assert max(ATOMS, key=lambda atom: getattr(pid, atom)) == PLANTED[truth].atom
    assert getattr(pid, PLANTED[truth].atom) > pid.total / 2


@pytest.mark.parametrize("truth", PLANTED)
def test_planted_sets_hold_what_they_say_by_their_true_answers(truth):
    from vlmlens.lab.questions import by_text

    for seed in range(3):
        scenes, questions, weights = planted(truth, seed)
        answers = [[by_text()[q].answer(scene) for q in questions] for scene in scenes]
        known = sorted({answer for row in answers for answer in row})
        table = weights[:, :, None] * np.array([[[a == name for name in known] for a in row] for row in answers])
        pid = decompose(table)
        wanted = [float(atom == PLANTED[truth].atom) for atom in ATOMS]  # one bit, all of it there
        np.testing.assert_allclose(atoms(pid), wanted, atol=1e-6)


# Tables


@pytest.mark.parametrize("name", ["AND", "XOR", "COPY", "UNQ"])
def test_a_model_that_is_a_gate_shows_the_gates_truth(name):
    table = gate(name) / gate(name).sum(axis=2, keepdims=True)
    np.testing.assert_allclose(atoms(asked(table).pid), GATES[name].truth, atol=1e-6)


def test_pairs_that_never_occur_say_nothing():
    rng = np.random.default_rng(0)
    table, weights = random_table(1), rng.random((5, 4)) * (rng.random((5, 4)) < 0.6)
    other = np.where((weights > 0)[:, :, None], table, random_table(2))
    one, two = (asked(each, weights=weights) for each in (table, other))
    np.testing.assert_allclose(atoms(one.pid), atoms(two.pid), atol=2e-6)
    np.testing.assert_allclose(one.weights, weights / weights.sum())
    np.testing.assert_allclose(one.joint.sum(), 1)
    twin = decompose(weights[:, :, None] * table)
    np.testing.assert_allclose(atoms(one.pid), atoms(twin), atol=3e-6)


def test_a_picture_asked_twice_counts_as_one_with_double_weight():
    table = random_table(3)
    twice = asked(np.concatenate([table, table[:1]]))
    weighed = asked(table, weights=np.ones((5, 4)) + np.eye(5, 1))
    np.testing.assert_allclose(atoms(twice.pid), atoms(weighed.pid), atol=3e-6)


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 9])
def test_growing_ends_in_the_whole(at_once):
    table = random_table(4, (7, 4, 3))
    whole = asked(table)
    steps = list(growing(Table(table, at_once), range(7), list("abcd"), every=2))
    assert [len(step.table) for step in steps] == sorted({len(step.table) for step in steps})
    for step in steps:
        seen = len(step.table)
        assert seen >= 2
        np.testing.assert_allclose(step.table, table[:seen], atol=1e-12)
        np.testing.assert_allclose(step.weights.sum(), 1)
        np.testing.assert_allclose(atoms(step.pid), atoms(asked(table[:seen]).pid), atol=step.pid.gap + 1e-6)
        assert step.pid.gap < 0.01
    assert len(steps[-1].table) == 7
    np.testing.assert_allclose(atoms(steps[-1].pid), atoms(whole.pid), atol=steps[-1].pid.gap + whole.pid.gap)
    *_, exact = growing(Table(table, at_once), range(7), list("abcd"), tol=1e-6)
    np.testing.assert_allclose(atoms(exact.pid), atoms(whole.pid), atol=2e-6)
    if at_once == 1:
        assert [len(step.table) for step in steps] == [2, 4, 6, 7]


def test_pictures_without_weight_are_waited_for():
    weights = np.zeros((4, 4))
    weights[3] = 1
    steps = list(growing(Table(random_table(5, (4, 4, 3))), range(4), list("abcd"), weights=weights))
    assert [len(step.table) for step in steps] == [4]


def test_of_many_candidates_those_that_never_matter_are_one(monkeypatch):
    module = importlib.import_module("vlmlens.information.interventional")  # the package has a function of this name
    monkeypatch.setattr(module, "OPEN_VOCABULARY", 5)
    table = np.zeros((3, 3, 8))
    table[..., :2] = random_table(6, (3, 3, 2)) * 0.97
    table[..., 2:] = 0.005
    found = asked(table)
    assert found.answers == ("answer 0", "answer 1", "any other")
    np.testing.assert_allclose(found.table[..., :2], table[..., :2], atol=1e-9)
    np.testing.assert_allclose(found.table.sum(axis=-1), 1)
    merged = np.concatenate([table[..., :2], table[..., 2:].sum(axis=-1, keepdims=True)], axis=-1)
    np.testing.assert_allclose(atoms(found.pid), atoms(decompose(merged)), atol=3e-6)


# Layers


@pytest.mark.parametrize("name", MODELS)
def test_the_lens_has_a_point_for_every_layer_and_ends_in_the_answer(model, scenes, name):
    vlm = model(name)
    plain = interventional(vlm, scenes[:3], QUESTIONS)
    through = interventional(vlm, scenes[:3], QUESTIONS, lens=True)
    layers = len(vlm.points) - 1  # the first reading point lies before them
    assert [point for point, _ in through.layers] == [f"after layer {i + 1}" for i in range(layers - 1)]
    np.testing.assert_allclose(atoms(through.pid), atoms(plain.pid), atol=3e-6)
    assert plain.layers == ()
    frame = through.to_frame()
    assert list(frame["point"]) == [*(point for point, _ in through.layers), "output"]
    np.testing.assert_allclose(frame.iloc[-1][list(ATOMS)].astype(float), atoms(through.pid))


# Effects and words


@pytest.mark.parametrize("seed", range(4))
def test_an_effect_is_the_mean_divergence_of_all_pairs(seed):
    table = random_table(seed, (5, 3, 4))
    naive = [
        jensenshannon(table[i, q], table[j, q], base=2) ** 2
        for q in range(3)
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert effect(table) == pytest.approx(np.mean(naive), abs=1e-12)
    found = asked(table)
    assert found.effects == pytest.approx((effect(table), effect(table.swapaxes(0, 1))))
    assert 0 <= found.behavioural_share <= 1


def test_what_only_one_side_moves_has_all_the_share():
    by_picture = np.repeat(random_table(0, (4, 1, 3)), 5, axis=1)
    found = asked(by_picture)
    assert found.image_share == pytest.approx(1, abs=1e-3)
    assert found.behavioural_share == pytest.approx(1)
    assert "the picture alone carries most" in found.sentence()
    found = asked(by_picture.swapaxes(0, 1))
    assert found.image_share == pytest.approx(0, abs=1e-3)
    assert found.behavioural_share == pytest.approx(0, abs=1e-9)
    assert "the question alone carries most" in found.sentence()


def test_where_nothing_moves_there_is_no_share():
    found = asked(np.full((3, 3, 2), 0.5), ensemble="three greys")
    assert np.isnan(found.image_share)
    assert np.isnan(found.behavioural_share)
    assert found.sentence() == "Nothing changes the answer over three greys: 0.000 bit in all."
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["image_share"] is None


def test_the_sentence_names_the_largest_part_and_its_ensemble():
    table = gate("XOR") / gate("XOR").sum(axis=2, keepdims=True)
    found = asked(table, ensemble="two of each")
    assert found.sentence() == "Over two of each, both together carries most: **1.00** of 1.00 bits."
    weights = np.eye(2)  # the same pair always together: either tells
    found = asked(gate("UNQ") / gate("UNQ").sum(axis=2, keepdims=True), weights=weights)
    assert "either of them carries most" in found.sentence()


def test_a_result_is_json(concat, scenes):
    found = interventional(concat, scenes[:2], QUESTIONS[:2], lens=True, ensemble="two by two")
    data = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert data["pictures"] == 2
    assert data["questions"] == list(QUESTIONS[:2])
    assert data["ensemble"] == "two by two"
    assert data["unique_1"] == pytest.approx(found.pid.unique_1)
    assert [layer["point"] for layer in data["layers"]] == [point for point, _ in found.layers]


# What is refused


@pytest.mark.parametrize("shape", [(1, 4, 3), (4, 1, 3), (0, 4, 3)])
def test_what_never_changes_is_refused(shape):
    with pytest.raises(InformationError, match=f"{shape[0]} pictures and {shape[1]} questions"):
        asked(np.ones(shape))


@pytest.mark.parametrize(
    ("weights", "word"),
    [
        (np.ones((4, 5)), "5 x 4 pairs"),
        (np.ones(5), "5 x 4 pairs"),
        (-np.ones((5, 4)), "not negative"),
        (np.full((5, 4), np.nan), "not negative"),
        (np.zeros((5, 4)), "at least one pair"),
    ],
)
def test_weights_that_are_none_are_refused(weights, word):
    with pytest.raises(InformationError, match=word):
        asked(random_table(0), weights=weights)
