"""Taking patches away and putting them back, against one picture at a time; and what random maps are."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vlmlens.attribution import Case
from vlmlens.attribution.faithfulness import (
    AT_ONCE,
    DRAWS,
    FILLS,
    KNOCKED,
    KNOCKED_OUT,
    Curves,
    agreement,
    curves,
    filled,
    knock_out,
    passes,
    random_maps,
    trust,
)
from vlmlens.errors import NotApplicable

QUESTION = "what color is the circle?"


def case_of(vlm, scene, **more):
    return Case(vlm, scene, QUESTION, vlm.inspect(scene, QUESTION), **more)


def test_the_curves_are_those_of_pictures_filled_one_by_one(any_model, scenes):
    case = case_of(any_model, scenes[0])
    values = np.random.default_rng(0).normal(size=case.trace.grid.cells)
    fills = filled(case)
    assert len(fills) == len(FILLS)
    found = curves(case, fills, values[None])
    assert found.ways == (*FILLS, KNOCKED_OUT)
    order = np.argsort(-values)
    candidate = case.answer.candidate
    for step in range(len(found.shares)):
        hottest = np.isin(np.arange(len(values)), order[: round(found.shares[step] * len(values))])
        for seen, gone in ((found.deletion, hottest), (found.insertion, ~hottest)):
            for number, fill in enumerate(fills):
                pixels = torch.where(torch.from_numpy(gone)[case.eyes.cells[0]], fill, case.eyes.pixels[0])[None]
                with case.computing(), torch.no_grad():
                    alone = case.eyes.logits(pixels).double().softmax(-1)[0, candidate]
                np.testing.assert_allclose(seen[0, number, step], float(alone), atol=1e-4)
            alone = any_model.answer_probability(scenes[0], QUESTION, candidate, gone[None])[0]
            np.testing.assert_allclose(seen[0, -1, step], alone, atol=1e-4)
    np.testing.assert_allclose(found.deletion[0, :, 0], case.answer.probability, atol=1e-4)


def test_the_score_counts_each_way_by_how_far_maps_spread():
    rng = np.random.default_rng(0)
    deletion, insertion = rng.random((6, 2, 4)), rng.random((6, 2, 4))
    shares = np.array([0, 0.1, 0.15, 0.3])
    expected = np.zeros(6)
    for values, sign in ((deletion, -1), (insertion, 1)):
        for way in range(2):
            area = sign * np.trapezoid(values[:, way], shares, axis=1)
            expected += (area - area.mean()) / area.std()
    found = Curves(("a", "b"), shares, deletion, insertion).scores
    np.testing.assert_allclose(found, expected)
    scaled = Curves(("a", "b"), shares, deletion * [[[2], [1]]], insertion).scores
    np.testing.assert_allclose(scaled, expected)
    same = Curves(("a",), shares, np.ones((6, 1, 4)), np.ones((6, 1, 4)))
    np.testing.assert_array_equal(same.scores, 0)


def test_random_maps_are_as_smooth_as_the_map():
    rows, columns = np.mgrid[:6, :8]
    smooth = np.sin(rows / 2) + np.cos(columns / 3)
    found = random_maps(smooth.ravel(), (6, 8), 20)
    power = np.abs(np.fft.fft2(smooth - smooth.mean()))
    for one in found:
        np.testing.assert_allclose(np.abs(np.fft.fft2(one.reshape(6, 8))), power, atol=1e-8)
    assert np.abs(np.corrcoef(found) - np.eye(20)).mean() < 0.5
    np.testing.assert_array_equal(found, random_maps(smooth.ravel(), (6, 8), 20))
    assert (random_maps(smooth.ravel(), (6, 8), 20, seed=1) != found).any()


def test_agreement_of_maps():
    rng = np.random.default_rng(0)
    one = rng.normal(size=36)
    rho, p = agreement(one, 3 * one + 1, (6, 6), 99)
    np.testing.assert_allclose(rho, 1)
    assert p == 0.01
    assert agreement(one, -one, (6, 6), 99)[0] < -0.99
    assert agreement(one, rng.normal(size=36), (6, 6), 99)[1] > 0.01
    assert np.isnan(agreement(one, np.ones(36), (6, 6))).all()


def test_the_verdict_follows_from_the_scores(concat, scenes):
    """The map of what each patch is worth beats random ones; turned round it does not, and that is seen early."""
    case = case_of(concat, scenes[0])
    from vlmlens.attribution import explain

    worth = explain("shapley", case).cells()
    good, bad = trust(case, worth), trust(case, -worth)
    assert good.verdict == "better than random"
    assert bad.verdict == "no better than random"
    assert good.draws == DRAWS
    assert good.beaten >= DRAWS - 1
    assert bad.draws == AT_ONCE
    assert good.p == pytest.approx((1 + DRAWS - good.beaten) / 50)
    assert len(good.check.region) == 4  # a tenth of 36
    assert f"beats {good.beaten} of 49 random maps" in good.sentence()
    assert good.to_dict()["ways"]["knock-out"]["deletion"] == good.curves.deletion[0, -1].tolist()
    frame = good.to_frame()
    assert len(frame) == 4 * len(good.curves.shares)
    assert (frame.random_deletion_low <= frame.random_deletion_high).all()


def test_an_answer_that_no_patch_moves_is_inconclusive(concat, scenes):
    case = case_of(concat, scenes[0])
    found = trust(case, np.arange(36.0))
    still = replace(
        found, curves=replace(found.curves, insertion=np.full_like(found.curves.insertion, found.check.before))
    )
    assert still.verdict == "inconclusive"
    assert "nothing on it that a map could mark" in still.sentence()


@pytest.mark.parametrize("tiled", [False, True])
def test_it_costs_what_it_says(concat, scenes, monkeypatch, tiled):
    """To the pass, for a map that no look ends early; the button of the page shows this number."""
    from vlmlens.attribution import explain, faithfulness

    case, counted = case_of(concat, scenes[0]), []
    worth, plain = explain("shapley", case).cells(), faithfulness.probability
    check = knock_out(case, worth)

    def counting(logits, *rest):
        counted.append(len(logits))
        return plain(logits, *rest)

    monkeypatch.setattr(faithfulness, "probability", counting)
    monkeypatch.setattr("vlmlens.models.base.probability", counting)
    monkeypatch.setattr(faithfulness, "_has_cells", lambda _case: not tiled)
    monkeypatch.setattr(faithfulness, "HOPELESS", DRAWS + 1)
    found = trust(case, worth, check=check)
    assert found.check is check
    assert sum(counted) == passes(case)
    trust(case, worth)
    assert sum(counted) == 2 * passes(case) + KNOCKED + 2


def test_where_pixels_have_no_cells_only_knock_outs_judge(concat, scenes, monkeypatch):
    def refused(_prepared):
        raise NotApplicable("tiles")

    monkeypatch.setattr(concat, "eyes", refused)
    found = trust(case_of(concat, scenes[0]), np.arange(36.0))
    assert found.curves.ways == (KNOCKED_OUT,)
    assert found.emptied.shape == (1,)
    assert found.verdict in ("better than random", "no better than random")
