"""Every compressor keeps its promises: how many tokens, of which patches, who reads the words, what learns."""

from itertools import permutations

import pytest
import torch

from vlmlens.errors import UserError
from vlmlens.lab.compress import BUDGETS, COMPRESSORS, CompressedModel
from vlmlens.lab.compress.average import covering
from vlmlens.lab.compress.choose import choose, draw, mean_over_draws
from vlmlens.lab.draw import render_batch
from vlmlens.lab.sample import take
from vlmlens.lab.text import encode
from vlmlens.lab.vision import PATCHES, SIDE, WIDTH
from vlmlens.lab.weights import LabName, load_wiring

NAMES = list(COMPRESSORS)
SELECTING = [name for name, row in COMPRESSORS.items() if row.selects]
CASES = [(name, keep) for name, row in COMPRESSORS.items() for keep in row.budgets]


@pytest.fixture(scope="module")
def base():
    return load_wiring(LabName("concat"))


@pytest.fixture(scope="module")
def given(base):
    """Features of four pictures, of a question each, and the mask of its words."""
    items = take("test", 5, 4)
    with torch.no_grad():
        return base.encode(
            torch.from_numpy(render_batch([item.scene for item in items])),
            encode([item.question.text for item in items]),
        )


def made(name, seed=0):
    """An untrained compressor whose every part has a say."""
    torch.manual_seed(seed)
    compressor = COMPRESSORS[name].make().eval()
    for parameter in compressor.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.3)
    return compressor


@pytest.mark.parametrize(("name", "keep"), CASES)
def test_so_many_tokens_and_shares_that_sum_to_one(name, keep, given):
    with torch.no_grad():
        told = made(name)(*given, keep)
    assert told.tokens.shape == (4, keep, WIDTH)
    assert told.shares.shape == (4, keep, PATCHES)
    assert (told.shares >= 0).all()
    assert torch.allclose(told.shares.sum(-1), torch.ones(4, keep), atol=1e-5)
    assert torch.isfinite(told.tokens).all()


@pytest.mark.parametrize(("name", "keep"), [(name, keep) for name in SELECTING for keep in COMPRESSORS[name].budgets])
def test_who_selects_hands_on_patches_as_they_are(name, keep, given):
    with torch.no_grad():
        told = made(name)(*given, keep)
    kept = told.shares.argmax(-1)
    assert ((told.shares == 0) | (told.shares == 1)).all()
    assert (kept.diff(dim=-1) > 0).all()  # each once, in the board's order
    assert torch.equal(told.tokens, given[0].gather(1, kept[..., None].expand(-1, -1, WIDTH)))


@pytest.mark.parametrize("name", [*SELECTING, "relevance-driven", "average pooling"])
def test_with_every_token_the_answer_is_the_base_models_own(name, given, base):
    model = CompressedModel(COMPRESSORS[name], base).eval()
    image, words, mask = given
    with torch.no_grad():
        whole, told = base.fuse(image, words, mask), model.fuse(model.tell(image, words, mask, PATCHES), words, mask)
    assert torch.allclose(whole, told, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_who_is_query_aware_changes_with_the_words_and_nobody_else_does(name, given):
    image, words, mask = given
    compressor, keep = made(name), COMPRESSORS[name].budgets[-1]
    one, other = (compressor(image[:1], words[[i]], mask[[i]], keep) for i in (0, 2))
    same = torch.equal(one.tokens, other.tokens) and torch.equal(one.shares, other.shares)
    assert same != COMPRESSORS[name].query_aware


@pytest.mark.parametrize("name", NAMES)
def test_padding_changes_nothing(name, given):
    image, words, mask = given
    more = torch.cat([words, torch.full((4, 3, WIDTH), 9.0)], 1), torch.cat([mask, torch.zeros(4, 3, dtype=bool)], 1)
    compressor = made(name)
    for keep in COMPRESSORS[name].budgets:
        before, after = compressor(image, words, mask, keep), compressor(image, *more, keep)
        assert torch.allclose(before.tokens, after.tokens, atol=1e-5)
        assert torch.allclose(before.shares, after.shares, atol=1e-5)


@pytest.mark.parametrize("name", [name for name in NAMES if any(True for _ in COMPRESSORS[name].make().parameters())])
def test_every_part_learns(name, given, base):
    model = CompressedModel(COMPRESSORS[name], base)
    model.compressor = made(name).train()
    for keep in (9, 4, 1):
        told = model.tell(*given, keep)
        losses = model.fuse(told, *given[1:]).square().sum(-1)
        (losses.mean() if told.chance is None else mean_over_draws(losses, told.chance)).backward()
    assert (model.tell(*given, 9).chance is not None) == COMPRESSORS[name].chooses
    for part, parameter in model.compressor.named_parameters():
        assert parameter.grad is not None, part
        assert torch.isfinite(parameter.grad).all(), part
        if not part.endswith(("offer.bias", "k_proj.bias", "score.3.bias")):  # what a softmax does not feel
            assert parameter.grad.abs().sum() > 0, part


@pytest.mark.parametrize("name", NAMES)
def test_the_picture_matters(name, given):
    image, words, mask = given
    keep = COMPRESSORS[name].budgets[-1]
    compressor = made(name)
    assert not torch.allclose(
        compressor(image[:1], words[:1], mask[:1], keep).tokens,
        compressor(image[1:2], words[:1], mask[:1], keep).tokens,
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("keep", [0, -1, PATCHES + 1])
def test_a_budget_beyond_the_patches_is_one_sentence(name, keep, given):
    with pytest.raises(UserError, match=r"36 patches can be told in 1 to 36 tokens, not in"):
        made(name)(*given, keep)


def test_without_a_compressor_all_patches_stay(given):
    with pytest.raises(UserError, match="keeps all 36 patches"):
        made("none")(*given, 9)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_of_one_color_is_told_too(name, base):
    pixels = torch.full((2, 48, 48, 3), 128, dtype=torch.uint8)
    with torch.no_grad():
        given = base.encode(pixels, encode(["what color is the star?", "is there a red circle?"]))
        for keep in COMPRESSORS[name].budgets:
            assert torch.isfinite(made(name)(*given, keep).tokens).all()


@pytest.mark.parametrize("keep", [*BUDGETS, 2, 3, 5, 7, 12, 31])
def test_averages_cover_the_board_without_gap_or_overlap(keep):
    cells = covering(keep, SIDE)
    assert cells.shape == (keep, PATCHES)
    assert torch.allclose(cells.sum(-1), torch.ones(keep), atol=1e-6)
    if round(keep**0.5) ** 2 == keep:  # cells of one size: every patch counts alike
        assert torch.allclose(cells.mean(0), torch.full((PATCHES,), 1 / PATCHES), atol=1e-6)


def test_averages_of_nine_are_those_of_the_hindered_wirings(given):
    from vlmlens.lab.model import averaged

    assert torch.allclose(made("average pooling")(*given, 9).tokens, averaged(given[0], 3), atol=1e-5)


def test_a_choice_keeps_the_best_and_of_equals_the_first():
    shares = choose(torch.tensor([[0.1, 3.0, 2.0, 3.0]]), 2)
    assert shares.argmax(-1).tolist() == [[1, 3]]
    assert choose(torch.zeros(1, 36), 4).argmax(-1).tolist() == [[0, 1, 2, 3]]


def test_a_choice_is_drawn_without_replacement_by_the_softmax_of_the_scores():
    """Each of the twelve ordered pairs of four patches comes as often as its probability says, and says it."""
    torch.manual_seed(0)
    scores = torch.tensor([0.0, 1.0, 2.0, -1.0])
    shares, chance = draw(scores.expand(40_000, -1), 2)
    assert torch.equal(shares.sum(-1), torch.ones(40_000, 2))
    assert (shares.argmax(-1).diff() > 0).all()  # in their own order
    likely = {pair: in_turn(scores, pair).item() for pair in permutations(range(4), 2)}
    for value, times in zip(*chance.round(decimals=4).unique(return_counts=True), strict=True):
        [probability] = [each for each in likely.values() if abs(each - value.exp()) < 1e-4]
        assert abs(times / 40_000 - probability) < 0.01
    assert draw(scores[None], 4)[1] is None  # all patches are no choice


def in_turn(scores, order):
    """The probability of drawing these patches one after the other, worked out one by one."""
    left, product = scores.exp().sum(), torch.ones(())
    for patch in order:
        product = product * scores[patch].exp() / left
        left = left - scores[patch].exp()
    return product


def test_what_a_choice_learns_is_the_gradient_of_its_expected_cost():
    """Against all ordered pairs of four patches; the baseline is another draw, as in training."""
    torch.manual_seed(0)
    cost = torch.randn(4, 4)
    cost = cost + cost.T
    scores = torch.tensor([0.3, -0.2, 0.8, 0.0], requires_grad=True)
    expected = sum(in_turn(scores, pair) * cost[pair] for pair in permutations(range(4), 2))
    [exact] = torch.autograd.grad(expected, scores)
    shares, chance = draw(scores.expand(200_000, -1), 2)
    paid = cost[tuple(shares.argmax(-1).T)]
    mean = mean_over_draws(paid, chance)
    assert mean.item() == pytest.approx(paid.mean().item())
    [found] = torch.autograd.grad(mean, scores)
    assert torch.allclose(found, exact, atol=0.01)
