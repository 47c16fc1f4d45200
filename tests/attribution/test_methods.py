"""Every registered method, on every model: what it gives is a map of that picture, and what it refuses it explains."""

import numpy as np
import pytest

from vlmlens.attribution import METHODS, Case, explain
from vlmlens.attribution.case import blocks
from vlmlens.errors import NotApplicable
from vlmlens.lab.sample import take

QUESTION = "what color is the circle?"


@pytest.fixture
def case(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    return Case(any_model, scenes[0], QUESTION, trace, passes=80)


def test_every_method_gives_a_map_or_a_reason(case):
    refused = {}
    for name in METHODS:
        try:
            found = explain(name, case)
        except NotApplicable as reason:
            refused[name] = str(reason)
            continue
        slices, heads, cells = found.values.shape
        assert found.method == name
        assert (slices, cells) == (len(found.labels), case.trace.grid.cells)
        assert heads >= 1
        assert np.isfinite(found.values).all()
        assert found.signed or (found.values >= 0).all()
        assert 0 <= found.first < slices
        assert found.cells().shape == (cells,)
        assert np.ptp(found.values) > 0 or name == "gradcam"  # whose ReLU may leave nothing
        assert found.words is None or found.words.shape == (slices, cells)
        np.testing.assert_allclose(explain(name, case).values, found.values, atol=1e-5)  # the same for the same seed
    assert set(refused) <= {"raw", "sink-removed", "relative", "contrastive", "value-weighted", "lens"}
    assert all(case.vlm.name in reason or "two layers" in reason for reason in refused.values())


def test_the_lead_over_another_answer_turns_round_with_the_two(case):
    one, two = case.trace.answers[:2]
    for name in ("gradient x activation", "integrated gradients", "ablation", "occlusion"):
        first, second = (
            explain(name, Case(case.vlm, case.picture, QUESTION, case.trace, against=b, chosen=a, passes=80)).cells()
            for a, b in ((one, two), (two, one))
        )
        np.testing.assert_allclose(first, -second, atol=1e-4 * np.abs(first).max())


def test_a_method_that_does_not_know_the_answer_compares_none(case):
    with pytest.raises(NotApplicable, match="does not know the answer"):
        explain("raw", Case(case.vlm, case.picture, QUESTION, case.trace, against=case.trace.answers[1]))
    with pytest.raises(NotApplicable, match="There is no map called"):
        explain("tea leaves", case)


def test_integrated_gradients_and_shapley_values_add_up(concat, scenes):
    """Both share out the change of the score from the plain picture to the picture."""
    from vlmlens.attribution.case import plain_fill

    trace = concat.inspect(scenes[0], QUESTION)
    case = Case(concat, scenes[0], QUESTION, trace, passes=150)
    whole = float(case.of_pixels(case.eyes.pixels) - case.of_pixels(plain_fill(case.eyes)))
    for name, tolerance in (("integrated gradients", 0.1), ("shapley", 1e-3)):
        np.testing.assert_allclose(explain(name, case).cells().sum(), whole, rtol=tolerance)


def test_ablation_is_what_filling_each_patch_does(concat, scenes):
    from vlmlens.attribution.case import plain_fill

    trace = concat.inspect(scenes[1], QUESTION)
    case = Case(concat, scenes[1], QUESTION, trace)
    eyes, plain, expected = case.eyes, plain_fill(case.eyes), []
    for cell in range(trace.grid.cells):
        pixels = eyes.pixels.clone()
        hidden = (eyes.cells == cell).expand_as(pixels)
        pixels[hidden] = plain[hidden]
        expected.append(float(case.of_pixels(eyes.pixels) - case.of_pixels(pixels)))
    np.testing.assert_allclose(explain("ablation", case).cells(), expected, atol=1e-4)


def test_gradcam_is_its_formula_patch_by_patch(any_model, scenes):
    """Eq. 1 and 2 of the paper by hand, from the image tokens that the rest of the model gets."""
    case = Case(any_model, scenes[2], QUESTION, any_model.inspect(scenes[2], QUESTION))
    tokens = []

    def watch(_module, _inputs, output):
        output.retain_grad()
        tokens.append(output)

    with case.computing():
        handle = case.eyes.projector.register_forward_hook(watch)
        case.of_pixels(case.eyes.pixels.clone().requires_grad_()).sum().backward()
        handle.remove()
    active, slope = tokens[0].detach()[0].numpy(), tokens[0].grad[0].numpy()
    assert active.shape[0] == case.trace.grid.cells  # no class token among them
    expected = np.maximum(active @ slope.mean(axis=0), 0)
    np.testing.assert_allclose(explain("gradcam", case).cells(), expected, atol=1e-4 * np.abs(active @ slope.T).max())


def test_gradcam_finds_what_favours_the_answer_where_channels_mean_the_same_everywhere(concat, scenes, monkeypatch):
    """A planted model that only sums the tokens: the answer rises with one channel, another answer with the other."""
    from dataclasses import replace

    import torch
    from torch import nn

    case = Case(concat, scenes[0], QUESTION, concat.inspect(scenes[0], QUESTION))
    tokens, projector = torch.zeros(1, 36, 2), nn.Identity()
    tokens[0, 8, 0], tokens[0, 21, 1] = 1.0, 1.0

    def logits(pixels):
        summed = projector(tokens + 0 * pixels.mean()).sum(dim=1)
        found = torch.zeros(1, 40)
        found[:, case.answer.candidate] = summed[:, 0]
        found[:, case.answer.candidate - 1] = summed[:, 1]
        return found

    planted = replace(case.eyes, logits=logits, projector=projector)
    monkeypatch.setitem(case.__dict__, "eyes", planted)
    found = explain("gradcam", case).cells()
    assert np.flatnonzero(found).tolist() == [8]


def test_what_the_answer_depends_on_is_found(concat):
    """The patch that most methods mark first lies on the object asked about, far more often than chance (4 in 36)."""
    hits = {name: 0 for name in ("occlusion", "ablation", "integrated gradients", "value-weighted", "chefer")}
    items = [item for item in take("test", 11, 120) if item.question.kind == "color"][:12]
    for item in items:
        case = Case(concat, item.scene, item.question.text, concat.inspect(item.scene, item.question.text))
        (cell,) = item.question.relevant(item.scene)
        for name in hits:
            row, column = divmod(int(explain(name, case).cells().argmax()), 6)
            hits[name] += (row // 2, column // 2) == divmod(cell, 3)
    assert all(hit >= 6 for hit in hits.values()), hits


def test_blocks_put_neighbours_together():
    assert blocks((6, 6), 36).tolist() == list(range(36))
    regions = blocks((5, 7), 12).reshape(5, 7)
    assert len(np.unique(regions)) <= 12
    assert all(np.ptp(np.argwhere(regions == r), axis=0).max() <= 1 for r in np.unique(regions))
