"""A patch told in fewer samples: brute-force twins, and what must hold of every budget."""

import numpy as np
import pytest
import torch

from vlmlens.tokens.detail import MOST, glance, operators, patches_of, picture_of, samples, soft, told

PIXELS = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 48, 48, 3), np.uint8))


def uniform(budget: int) -> np.ndarray:
    return np.full((2, 36), budget)


def test_cutting_and_joining_is_the_identity():
    assert torch.equal(picture_of(patches_of(PIXELS)), PIXELS.float())
    assert torch.equal(patches_of(PIXELS)[0, 7, 1], PIXELS[0, 8:16, 8:16, 1].float())


def test_all_samples_are_all_pixels_and_one_is_the_mean():
    assert told(PIXELS, uniform(64)) == pytest.approx(PIXELS.float().numpy(), abs=1e-3)
    one = patches_of(told(PIXELS, uniform(1)))
    means = patches_of(PIXELS).mean((-1, -2), keepdim=True)
    assert one.numpy() == pytest.approx(means.expand_as(one).numpy(), abs=1e-3)


def test_square_budgets_are_square_samples_and_little_is_lost():
    for budget in range(1, MOST + 1):
        down, across = samples(np.array(budget))
        assert 1 <= down <= across <= 8
        assert budget - 7 <= down * across <= budget
        if round(budget**0.5) ** 2 == budget:
            assert down * across == budget


def test_samples_are_brute_force_area_means():
    down, across = (int(each) for each in samples(np.array(12)))
    assert (down, across) == (3, 4)
    fine = np.kron(patches_of(PIXELS)[1, 5, 2].numpy(), np.ones((12, 12)))  # 96 x 96: 3 and 4 divide it
    coarse = fine.reshape(down, 96 // down, across, 96 // across).mean((1, 3))
    again = np.kron(coarse, np.ones((96 // down, 96 // across))).reshape(8, 12, 8, 12).mean((1, 3))
    assert patches_of(told(PIXELS, uniform(12)))[1, 5, 2].numpy() == pytest.approx(again, abs=1e-3)


def test_every_level_keeps_the_mean_and_no_level_is_brighter_than_its_pixels():
    for r, operator in enumerate(operators(), start=1):
        assert operator.sum(1).numpy() == pytest.approx(np.ones(8), abs=1e-6)
        assert torch.allclose(operator, operator.T)
        assert operator.min() >= 0
        assert torch.linalg.matrix_rank(operator) == r


def test_each_patch_has_its_own_budget():
    budgets = uniform(1)
    budgets[0, 8] = 64
    found = told(PIXELS, budgets)
    assert found[0, 8:16, 16:24].numpy() == pytest.approx(PIXELS[0, 8:16, 16:24].float().numpy(), abs=1e-3)
    assert torch.equal(found[1], glance(PIXELS, 1)[1])


def test_a_picture_of_one_color_is_itself_at_every_budget():
    flat = torch.full((2, 48, 48, 3), 77, dtype=torch.uint8)
    for budget in (1, 5, 13, 64):
        assert told(flat, uniform(budget)).numpy() == pytest.approx(np.full((2, 48, 48, 3), 77.0), abs=1e-3)


def test_the_mixture_meets_the_levels_and_has_a_slope_between_them():
    for budget in (1, 4, 9, 49, 64):
        soft_one = soft(PIXELS, torch.full((2, 36), float(budget)))
        assert soft_one.numpy() == pytest.approx(told(PIXELS, uniform(budget)).numpy(), abs=1e-2)
    budget = torch.full((2, 36), 6.0, requires_grad=True)
    (soft(PIXELS, budget) - PIXELS).square().sum().backward()
    assert budget.grad.max() < 0  # more detail is nearer to the picture


def test_budgets_for_other_patches_are_refused():
    with pytest.raises(ValueError, match="expected"):
        told(PIXELS, np.ones((2, 25)))
