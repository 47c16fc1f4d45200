"""Every compressor keeps its promises: how many tokens, of which patches, who reads the words, what learns."""

import pytest
import torch

from vlmlens.errors import UserError
from vlmlens.lab.compress import BUDGETS, COMPRESSORS, CompressedModel
from vlmlens.lab.compress.average import covering
from vlmlens.lab.compress.choose import choose
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
        model.fuse(model.tell(*given, keep), *given[1:]).square().sum().backward()
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


def test_a_choice_learns_to_keep_what_pays():
    """One patch of twelve pays; its score rises although the choice is hard."""
    torch.manual_seed(0)
    scores = torch.zeros(1, 12, requires_grad=True)
    optimiser = torch.optim.Adam([scores], 0.1)
    for _ in range(60):
        pays = choose(scores.expand(32, -1), 3, explore=True)[..., 5].sum(-1)
        optimiser.zero_grad()
        (-pays.mean()).backward()
        optimiser.step()
    assert choose(scores.detach(), 1).argmax() == 5


def test_exploring_draws_without_replacement_by_the_softmax_of_the_scores():
    torch.manual_seed(0)
    scores = torch.tensor([0.0, 1.0, 2.0])
    drawn = choose(scores.expand(20_000, -1), 1, explore=True)
    assert torch.allclose(drawn.mean((0, 1)), scores.softmax(-1), atol=0.02)
