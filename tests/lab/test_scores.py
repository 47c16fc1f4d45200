"""The three scores of a patch: what they must be on features that are known."""

import math

import pytest
import torch

from vlmlens.lab.compress.scores import coupling, even, information, salience


def test_information_is_the_entropy_of_the_standardised_features():
    features = torch.randn(3, 36, 64, generator=torch.Generator().manual_seed(0))
    one = features[1, 7]
    p = ((one - one.mean()) / one.std(unbiased=False)).softmax(0)
    assert information(features)[1, 7] == pytest.approx(-sum(x * math.log2(x) for x in p.tolist()), abs=1e-4)
    assert torch.allclose(information(5 * features + 3), information(features), atol=1e-4)
    assert (information(features) < 6).all()
    assert torch.allclose(information(torch.ones(1, 36, 64)), torch.full((1, 36), 6.0))


def test_salience_equals_the_sum_over_neighbors_written_out():
    features = torch.randn(2, 36, 8, generator=torch.Generator().manual_seed(1))
    found = salience(features, 6)
    board = features[1].reshape(6, 6, 8)
    spread = (board - board.mean((0, 1))).square().sum(-1).mean().sqrt()
    for row in range(6):
        for column in range(6):
            near = [
                board[r, c]
                for r in range(max(0, row - 1), min(6, row + 2))
                for c in range(max(0, column - 1), min(6, column + 2))
                if (r, c) != (row, column)
            ]
            apart = (board[row, column] - torch.stack(near).mean(0)).norm() / spread
            assert found[1, 6 * row + column] == pytest.approx(float(apart), abs=1e-4)


def test_the_odd_one_out_is_the_most_salient():
    features = torch.zeros(36, 64)
    features[14] = 1
    assert salience(features, 6).argmax() == 14
    assert torch.allclose(salience(3 * features, 6), salience(features, 6), atol=1e-4)  # free of scale


@pytest.mark.parametrize("side", [1, 2, 6])
def test_a_picture_of_one_color_has_no_salience(side):
    features = torch.full((2, side * side, 64), 0.37)
    assert (salience(features, side) == 0).all()
    assert (even(salience(features, side)) == 0.5).all()


def test_coupling_sums_to_one_and_leaves_padding_out():
    attention = torch.rand(2, 5, 36, generator=torch.Generator().manual_seed(2))
    mask = torch.tensor([[True, True, True, False, False], [True] * 5])
    found = coupling(attention, mask)
    assert torch.allclose(found.sum(-1), torch.ones(2))
    assert torch.allclose(found[0], coupling(attention[0, :3]))
    assert torch.allclose(coupling(attention * torch.tensor([1, 2, 3, 4, 5])[:, None]), coupling(attention))
    assert torch.allclose(coupling(torch.zeros(3, 36)), torch.full((36,), 1 / 36))


def test_even_spans_zero_to_one_and_keeps_the_order():
    scores = torch.randn(4, 36, generator=torch.Generator().manual_seed(3))
    found = even(scores)
    assert found.amin(-1).tolist() == [0.0] * 4
    assert found.amax(-1).tolist() == [1.0] * 4
    assert (found.argsort(-1) == scores.argsort(-1)).all()
    assert (even(torch.full((2, 36), 7.0)) == 0.5).all()
    assert (even(torch.zeros(1, 1)) == 0.5).all()  # one patch


def test_gradients_stay_finite_where_all_patches_are_alike():
    for flat in (True, False):
        features = (torch.ones(1, 36, 8) if flat else torch.rand(1, 36, 8)).requires_grad_()
        (even(salience(features, 6)) + even(information(features))).sum().backward()
        assert torch.isfinite(features.grad).all()
