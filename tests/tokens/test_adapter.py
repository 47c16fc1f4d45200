"""The learned relevance: it begins as the sliders, its gradient is the budgets', and it learns what is planted."""

import numpy as np
import pytest
import torch

from vlmlens.errors import ModelError
from vlmlens.lab.train import Recipe
from vlmlens.lab.vision import WIDTH
from vlmlens.tokens.adapter import (
    Adapter,
    budgets,
    load_adapter,
    save_adapter,
    soft_budgets,
    train_adapter,
)
from vlmlens.tokens.glance import Glimpse
from vlmlens.tokens.relevance import relevance


def seen(items: int = 8, seed: int = 0) -> Glimpse:
    torch.manual_seed(seed)
    return Glimpse(torch.rand(items, 3, 36), "the question's words", torch.randn(items, WIDTH))


def test_it_has_a_few_hundred_numbers():
    assert sum(p.numel() for p in Adapter().parameters()) < 500


def test_untrained_it_is_the_sliders_in_the_middle():
    adapter = Adapter()
    torch.nn.init.zeros_(adapter.read.weight)
    glimpse = seen()
    found = adapter(glimpse, torch.full((8,), 144.0))
    for item in range(8):
        expected = relevance(glimpse.of(item), (6, 6))
        assert found[item].detach().numpy() == pytest.approx(expected, abs=1e-5)


def test_budgets_before_rounding_are_within_a_token_of_those_after():
    rng = np.random.default_rng(0)
    for total in (36, 72, 500, 1800, 2304):
        found = torch.from_numpy(8 * rng.random((20, 36)) ** 3).float().softmax(-1)  # as steep as relevance gets
        totals = torch.full((20,), float(total))
        before = soft_budgets(found, totals)
        assert before.sum(-1).numpy() == pytest.approx(np.full(20, total), rel=1e-4)
        assert before.min() >= 1 - 1e-4
        assert before.max() <= 64 + 1e-3
        assert np.abs(before.numpy() - budgets(found, total)).max() < 1.01


def test_the_gradient_of_a_budget_is_that_of_finite_differences():
    torch.manual_seed(0)
    logits = torch.randn(1, 36, dtype=torch.double) * 2
    totals = torch.tensor([400.0], dtype=torch.double)

    def third(logits: torch.Tensor) -> torch.Tensor:
        return soft_budgets(logits.softmax(-1), totals)[0, 3:6].sum()

    assert torch.autograd.gradcheck(third, logits.requires_grad_(), atol=1e-4)


class OnlyOnePatch(torch.nn.Module):
    """A planted model: it answers 1 if patch 20 is drawn with its pixels, 0 where it is only told as a mean."""

    def see(self, pixels):
        return pixels[:, 24:32, 16:24].float().flatten(2).std(1).mean(-1)

    def fuse(self, image, words, mask):
        return torch.stack([-image, image], -1) * 0.05


def test_it_learns_to_give_detail_to_what_the_answer_hangs_on():
    rng = np.random.default_rng(0)
    pixels = torch.from_numpy(rng.integers(0, 256, (64, 48, 48, 3), np.uint8))
    glimpse = seen(64)
    glimpse.raw[:] = 0.5 + 0.01 * torch.rand(64, 3, 36)
    glimpse.raw[:, 0, 20], glimpse.raw[:, 1, 5], glimpse.raw[:, 2, 30] = 0, 1, 1  # the least information marks it
    truth = torch.ones(64, dtype=torch.long)
    words, mask = torch.zeros(64, 1, WIDTH), torch.ones(64, 1, dtype=torch.bool)

    def trained(steps: int) -> torch.Tensor:
        recipe = Recipe(pool=64, steps=steps, batch=16, rate=0.1, decay=0.0)
        adapter = train_adapter(OnlyOnePatch(), pixels, words, mask, glimpse, truth, 0, recipe, report=lambda _: None)
        return adapter(glimpse, torch.full((64,), 144.0))

    before = Adapter()(glimpse, torch.full((64,), 144.0))
    assert trained(15)[:, 20].mean() > 2 * before[:, 20].mean()
    assert torch.equal(trained(2), trained(2))  # the same seed, the same weights


def test_weights_come_back_and_missing_ones_are_told(tmp_path):
    with pytest.raises(ModelError, match=r"not trained yet; `python benchmarks/allocation\.py --train`"):
        load_adapter(0, tmp_path)
    adapter = Adapter()
    save_adapter(adapter, 0, tmp_path)
    glimpse, totals = seen(), torch.full((8,), 216.0)
    assert torch.equal(load_adapter(0, tmp_path)(glimpse, totals), adapter(glimpse, totals))
    (tmp_path / "adapter-1.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelError, match="damaged"):
        load_adapter(1, tmp_path)
