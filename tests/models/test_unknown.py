"""A family that has no row: what it is read by is what its row, taken away for the test, would have said."""

import runpy
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import vlmlens
from vlmlens.attention import budget, contributions, image_maps
from vlmlens.attribution import Case, explain
from vlmlens.errors import ModelError, NotApplicable
from vlmlens.information.contributions import mm_shap
from vlmlens.lab.weights import LabName
from vlmlens.models import families, loading, unknown
from vlmlens.trace import open_trace, trace_bytes

build = runpy.run_path(str(Path(__file__).with_name("tiny.py")))["build"]
QUESTION = "what color is the circle?"
LAB = LabName.parse("lab:llava").path  # trained: its tokens show what lies in their cells
TILED = {"llava_next", "idefics3", "smolvlm"}


@pytest.fixture(scope="module")
def picture():
    rng = np.random.default_rng(0)
    return Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))


@pytest.fixture
def without_rows(monkeypatch):
    monkeypatch.setattr(families, "ROWS", {})
    monkeypatch.setattr(loading, "ROWS", {})
    monkeypatch.setattr(unknown, "known", lambda: "others")


@pytest.mark.parametrize("kind", ["llava", *sorted(TILED)])
def test_it_gives_the_budget_that_its_row_gives_and_no_other_map(kind, tmp_path, picture, request, monkeypatch):
    folder = LAB
    if kind in TILED:
        build(kind, folder := tmp_path)
    expected = vlmlens.load(str(folder)).inspect(picture, QUESTION)
    row = families.FAMILIES[kind]
    request.getfixturevalue("without_rows")
    monkeypatch.setattr(loading, "guess", lambda *told: replace(unknown.guess(*told), prompt=row.prompt))
    vlm = vlmlens.load(str(folder))
    found = vlm.inspect(picture, QUESTION)
    np.testing.assert_array_equal(found.attention("last"), expected.attention("last"))
    np.testing.assert_array_equal(found.segments, expected.segments)
    assert budget(found).to_frame().equals(budget(expected).to_frame())
    np.testing.assert_allclose(contributions(found).share, contributions(expected).share, atol=1e-6)
    assert open_trace(trace_bytes(found)).grid.shape == found.grid.shape
    assert vlm.info.reduced.endswith(".")
    if found.grid.cells:
        np.testing.assert_array_equal(found.grid.boxes, expected.grid.boxes)
        np.testing.assert_array_equal(image_maps(found)[1], image_maps(expected)[1])
    else:
        assert "no map" in vlm.info.reduced
        assert image_maps(found)[0] == ()
        for look in (
            lambda: explain("raw", Case(vlm, picture, QUESTION, found)),
            lambda: mm_shap(vlm, picture, QUESTION, 0),
        ):
            with pytest.raises(NotApplicable, match="not known"):
                look()
    assert bool(found.grid.cells) == (kind not in TILED)
    with pytest.raises(NotApplicable, match="not known"):
        vlm.eyes(vlm.prepare(picture, QUESTION))


def test_a_tower_that_shuffles_the_picture_gets_no_map(without_rows, monkeypatch):
    """The number of tokens is right, and their places are not."""
    order = torch.randperm(36, generator=torch.Generator().manual_seed(1))
    tried = unknown.tried

    def shuffled(vlm):
        projector = vlm.model.get_submodule("model.multi_modal_projector")
        projector.register_forward_hook(lambda _module, _inputs, output: output[:, order])
        return tried(vlm)

    monkeypatch.setattr("vlmlens.models.huggingface.tried", shuffled)
    vlm = vlmlens.load(str(LAB))
    assert "no map" in vlm.info.reduced
    assert not vlm.prepare(Image.new("RGB", (60, 60)), QUESTION).grid.cells


def test_a_prompt_that_its_processor_rewrites_is_refused(tmp_path, without_rows):
    build("paligemma", tmp_path)
    with pytest.raises(ModelError, match="needs a row"):
        vlmlens.load(str(tmp_path))


def test_what_follows_no_convention_is_refused_by_name(tmp_path, without_rows, monkeypatch):
    with pytest.raises(ModelError, match=r"“strange” model.*names no image token"):
        unknown.guess("a model", tmp_path, SimpleNamespace(model_type="strange"))
    build("llava", tmp_path)
    monkeypatch.setattr(unknown, "ATTENTIONS", ("sights",))
    with pytest.raises(ModelError, match="layers are not to be told"):
        vlmlens.load(str(tmp_path))
