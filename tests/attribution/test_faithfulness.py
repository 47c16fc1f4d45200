"""Taking patches away and putting them back, against one picture at a time; and what random maps are."""

import numpy as np
import pytest
import torch

from vlmlens.attribution import Case
from vlmlens.attribution.faithfulness import (
    AT_ONCE,
    FEWEST_DRAWS,
    FILLS,
    agreement,
    curves,
    filled,
    random_maps,
    trust,
)

QUESTION = "what color is the circle?"


def case_of(vlm, scene, **more):
    return Case(vlm, scene, QUESTION, vlm.inspect(scene, QUESTION), **more)


def test_the_curves_are_those_of_pictures_filled_one_by_one(any_model, scenes):
    case = case_of(any_model, scenes[0])
    values = np.random.default_rng(0).normal(size=case.trace.grid.cells)
    fills = filled(case)
    assert len(fills) == len(FILLS)
    shares, deletion, insertion = curves(case, fills, values[None])
    order = np.argsort(-values)
    for step in (0, 2, len(shares) - 1):
        hottest = torch.from_numpy(np.isin(np.arange(len(values)), order[: round(shares[step] * len(values))]))
        for number, fill in enumerate(fills):
            for found, taken in ((deletion, hottest), (insertion, ~hottest)):
                pixels = torch.where(taken[case.eyes.cells[0]], fill, case.eyes.pixels[0])[None]
                with case.computing(), torch.no_grad():
                    alone = case.eyes.logits(pixels).double().softmax(-1)[0, case.answer.candidate]
                np.testing.assert_allclose(found[0, number, step], float(alone), atol=1e-4)
    np.testing.assert_allclose(deletion[0, :, 0], case.answer.probability, atol=1e-4)
    np.testing.assert_allclose(deletion[0, :, 0], insertion[0, :, -1])


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
    good, bad = trust(case, worth, draws=FEWEST_DRAWS), trust(case, -worth, draws=FEWEST_DRAWS)
    assert good.verdict == "better than random"
    assert bad.verdict == "no better than random"
    assert len(good.random) == FEWEST_DRAWS
    assert len(bad.random) == AT_ONCE
    assert good.score > good.random.max()
    assert len(good.check.region) == 4  # a tenth of 36
    assert "Removing what this map marks" in good.sentence()
    assert good.to_dict()["p"] == pytest.approx(1 / 40)
    assert len(good.to_frame()) == len(good.shares)
