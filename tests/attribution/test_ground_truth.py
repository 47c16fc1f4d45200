"""Marking maps against known places: hand cases, scikit-learn's ROC, chance, and the committed measurement."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from vlmlens.attribution import METHODS
from vlmlens.attribution.ground_truth import HOME, Mean, auc, lead, mark, pointing, published, relevant_cells
from vlmlens.lab.questions import by_text
from vlmlens.lab.sample import take
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.models import lab_models
from vlmlens.trace import Grid

ROOT = Path(__file__).parents[2]
SCENE = Scene(
    (Thing(4, "red", "circle", "large"), Thing(2, "blue", "square", "small"), Thing(6, "red", "star", "small"))
)


def relevant(text: str, shape: tuple[int, int], extent=None) -> list[list[int]]:
    """Rows of 0 and 1."""
    grid = Grid.regular(shape, range(shape[0] * shape[1]), (90, 60), extent)
    return relevant_cells(by_text()[text], SCENE, grid).reshape(shape).astype(int).tolist()


# What is relevant


def test_patches_on_the_thing_are_relevant():
    assert relevant("what color is the circle", (3, 3)) == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
    middle = np.zeros((6, 6), int)
    middle[2:4, 2:4] = 1
    assert relevant("what color is the circle", (6, 6)) == middle.tolist()
    assert relevant("how many red objects are there", (3, 3)) == [[0, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert relevant("is the circle left of the square", (3, 3)) == [[0, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert relevant("what color is the triangle", (3, 3)) == [[0] * 3] * 3  # there is none to be found


def test_patches_that_do_not_fit_the_board_are_relevant_where_the_thing_covers_them_the_most():
    assert relevant("what color is the circle", (2, 2)) == [[1, 1], [1, 1]]
    assert relevant("what shape is the blue object", (2, 2)) == [[0, 1], [0, 0]]
    assert relevant("what color is the circle", (4, 4)) == [[0] * 4, [0, 1, 1, 0], [0, 1, 1, 0], [0] * 4]
    centre = relevant("what color is the circle", (6, 6), (30.0, 20.0, 60.0, 40.0))  # a crop to the middle
    assert np.all(centre)
    assert not np.any(relevant("what shape is the blue object", (6, 6), (30.0, 20.0, 60.0, 40.0)))


def test_every_lab_model_divides_the_board_evenly(any_model):
    for item in take("test", 5, 20):
        grid = any_model.inspect(item.scene, item.question.text).grid
        found = relevant_cells(item.question, item.scene, grid)
        board = np.zeros((3, 3), bool)
        board.flat[list(item.question.relevant(item.scene))] = True
        np.testing.assert_array_equal(found.reshape(6, 6), np.kron(board, np.ones((2, 2), bool)))


# Marks


def test_the_hottest_cell_hits_or_misses_and_ties_share():
    inside = np.array([True, False, False, True])
    assert pointing(np.array([3.0, 1, 2, 0]), inside) == 1
    assert pointing(np.array([-3.0, -1, -2, -4]), inside) == 0  # a signed map: what speaks against is cold
    assert pointing(np.array([5.0, 5, 0, 0]), inside) == 0.5
    assert pointing(np.array([5.0, 5, 5, 0]), inside) == pytest.approx(1 / 3)
    assert pointing(np.zeros(4), inside) == inside.mean()  # a map that says nothing has chance


def test_the_area_is_that_of_the_roc_curve():
    rng = np.random.default_rng(0)
    values = rng.integers(0, 6, size=(50, 36)).astype(float)  # with many ties
    inside = rng.random((50, 36)) < 0.2
    inside[:, 0], inside[:, 1] = True, False
    expected = [roc_auc_score(truth, score) for truth, score in zip(inside, values, strict=True)]
    np.testing.assert_allclose(auc(values, inside), expected)
    np.testing.assert_allclose(auc(-values, inside), 1 - np.array(expected))
    assert auc(np.zeros(36), inside[0]) == 0.5
    assert np.isnan(auc(values[0], np.zeros(36, bool)))
    assert np.isnan(auc(values[0], np.ones(36, bool)))


def test_maps_that_know_nothing_have_chance():
    rng = np.random.default_rng(1)
    inside = rng.random((4000, 36)) < 0.15
    inside[:, 0], inside[:, 1] = True, False
    found = mark(rng.normal(size=(4000, 36)), inside)
    assert found.pointing.low < inside.mean() < found.pointing.high
    assert found.auc.low < 0.5 < found.auc.high


def test_an_interval_over_questions_covers_the_truth_and_narrows():
    rng = np.random.default_rng(2)
    covered = [found.low <= 0.7 <= found.high for found in (Mean.of(rng.random(100) < 0.7) for _ in range(200))]
    assert 0.9 <= np.mean(covered) <= 0.99
    few, many = (Mean.of(np.tile([0.0, 1.0], n)) for n in (20, 2000))
    assert few.high - few.low > 5 * (many.high - many.low)
    with pytest.raises(ValueError, match="at least one question"):
        Mean.of(np.zeros(0))


def test_a_lead_is_paired():
    inside = np.zeros((40, 9), bool)
    inside[:, 4] = True
    good, bad = inside.astype(float), -inside.astype(float)
    assert lead(good, good, inside).pointing == Mean(0, 0, 0)
    assert lead(good, bad, inside).auc == Mean(1, 1, 1)
    assert lead(bad, good, inside).pointing == Mean(-1, -1, -1)


# What was measured


def test_the_committed_measurement_is_whole():
    found = published()
    assert {"lab:img2txt", "lab:txt2img", "lab:concat", "lab:bidirectional", "lab:llava"} <= set(found.models)
    assert set(found.models) <= {model.name for model in lab_models()}
    for model in found.models:
        refused = {one.method for one in found.refused if one.model == model}
        measured = [row for row in found.rows if row.model == model]
        assert [row.method for row in measured] == [name for name in METHODS if name not in refused]
        for row in measured:
            assert row.shown.n == found.questions == 500
            assert sum(score.n for score in row.by_kind.values()) == 500
            assert row.right.n == round(500 * found.accuracy[model])
            mean = sum(score.n * score.pointing.value for score in row.by_kind.values()) / 500
            assert mean == pytest.approx(row.shown.pointing.value, abs=1e-4)
            assert (row.over_raw is None) == (row.method == "raw")
            for score in (row.shown, row.right, *row.by_kind.values()):
                assert 0 <= score.pointing.low <= score.pointing.value <= score.pointing.high <= 1
                assert 0 <= score.auc.low <= score.auc.value <= score.auc.high <= 1
            if row.over_raw is not None:
                raw = found.row(model, "raw").shown
                gain = row.shown.pointing.value - raw.pointing.value
                assert row.over_raw.pointing.value == pytest.approx(gain, abs=1e-4)
    assert "raw attention" in found.sentence("lab:llava", "contrastive")
    assert "never reads" in found.sentence("lab:txt2img", "lens")
    assert len(found.to_frame()) == len(found.rows)


def test_the_file_is_what_it_was_read_from():
    text = json.loads((HOME / "ground_truth.json").read_text())
    assert published().to_dict() == text


def test_what_the_manual_says_in_words_is_so():
    found = published()
    for model in found.models:
        of = {method: row for method in METHODS if (row := found.row(model, method))}
        assert of["contrastive"].over_raw.pointing.high < 0
        assert of["contrastive"].over_raw.auc.high < 0
        assert of["sink-removed"].shown == of["raw"].shown
        assert (of["relative"].over_raw.pointing.high < 0) == (model != "lab:txt2img")
        assert of["gradcam"].shown.auc.low < 0.5
        assert "lens" not in of or model == "lab:llava" or of["lens"].shown.auc.high < 0.3
        assert of["occlusion"].shown.pointing.high >= max(row.shown.pointing.value for row in of.values())
        itself = [t for t in found.trials if (t.model, t.subject) == (model, "contrastive less its late layer")]
        assert all(trial.score.pointing.value <= 0 for trial in itself)
        larger = [trial.variant for trial in itself if trial.score.auc.low > 0]
        assert larger == (["relation"] if model == "lab:txt2img" else [])


def test_the_page_of_the_manual_says_what_the_file_says(script):
    assert script("maps").document(published()) == (ROOT / "docs" / "maps.md").read_text()


def test_a_few_questions_measured_again_agree(llava):
    """Raw attention and a perturbation find the thing far more often than chance, as was measured."""
    from vlmlens.attribution import Case, explain

    chosen = [item for item in take("validation", 9, 40) if item.question.relevant(item.scene)][:24]
    for method in ("raw", "ablation"):
        hits = []
        for item in chosen:
            trace = llava.inspect(item.scene, item.question.text)
            found = explain(method, Case(llava, item.scene, item.question.text, trace))
            hits.append(float(pointing(found.cells(), relevant_cells(item.question, item.scene, trace.grid))))
        assert abs(np.mean(hits) - published().row("lab:llava", method).shown.pointing.value) < 0.25
