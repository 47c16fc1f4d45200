"""Laws of the cost: it adds up, it grows as its formula says, published numbers are worked out again."""

from dataclasses import replace

import pytest
import torch

from vlmlens.errors import NotApplicable, UserError
from vlmlens.lab.cards import Estimate
from vlmlens.progress import Cancelled, Progress
from vlmlens.tokens.budgets import BUDGETS, budgets, in_the_lab
from vlmlens.tokens.cost import BYTES, PARTS, Sequence, cached, cost, pairs
from vlmlens.tokens.models import find, published
from vlmlens.tokens.published import QUOTATIONS, TABLE, example
from vlmlens.tokens.rate import measure
from vlmlens.tokens.shapes import Decoder

SMALL = Decoder(layers=2, hidden=8, heads=2, kv_heads=1, head=4, inner=16, vocabulary=10)


def by_hand(decoder: Decoder, image: int, text: int) -> int:
    """Every product of matrices of a decoder, one after the other."""
    n, total = image + text, 0

    def product(rows: int, inner: int, columns: int) -> int:
        return 2 * rows * inner * columns

    for _ in range(decoder.layers):
        total += product(n, decoder.hidden, decoder.heads * decoder.head)  # queries
        total += 2 * product(n, decoder.hidden, decoder.kv_heads * decoder.head)  # keys, values
        for _ in range(decoder.heads):
            total += product(n, decoder.head, n) + product(n, n, decoder.head)  # scores, mixing
        total += product(n, decoder.heads * decoder.head, decoder.hidden)  # output
        total += product(n, decoder.hidden, decoder.inner) * (2 if decoder.gated else 1)
        total += product(n, decoder.inner, decoder.hidden)
    return total + product(1, decoder.hidden, decoder.vocabulary)


@pytest.mark.parametrize("gated", [True, False])
@pytest.mark.parametrize("kv_heads", [1, 2])
def test_a_decoder_is_the_sum_of_its_products(gated, kv_heads):
    decoder = replace(SMALL, gated=gated, kv_heads=kv_heads)
    assert cost(decoder, Sequence(7, 3)).total == by_hand(decoder, 7, 3)


@pytest.mark.parametrize("name", published())
def test_parts_add_up_and_know_their_units(name):
    real = find(name)
    assert real.hub
    assert real.checked  # against what its sizes were held
    found = real.cost(640, 480, 32)
    assert found.total == sum(found.flops.values())
    assert set(found.flops) == set(PARTS)
    assert found.cache("fp32") == 2 * found.cache("bf16") == 4 * found.cache("fp8")
    given = found.sequence
    assert given.length == given.text + (0 if real.beside else given.image)
    assert 0 < given.share < 1
    told = found.to_dict()
    assert told["flops"]["total"] == found.total
    assert set(told["cache_bytes"]) == set(BYTES)


def test_pairs_grow_with_the_square_and_projections_with_the_length():
    short, long = (cost(SMALL, Sequence(n, 0)) for n in (10, 20))
    assert pairs(SMALL, Sequence(20, 0)) == 4 * pairs(SMALL, Sequence(10, 0))
    for part, times in (("scores and mixing", 4), ("projections", 2), ("MLP", 2), ("head", 1)):
        assert long.flops[part] == times * short.flops[part]


def test_a_window_bounds_the_cache_and_nothing_else():
    bound = replace(SMALL, window=5, windowed=1)
    assert cached(bound, Sequence(3, 0)) == cached(SMALL, Sequence(3, 0))
    assert cached(bound, Sequence(100, 0)) == cached(SMALL, Sequence(100, 0)) - 2 * 4 * (100 - 4)
    assert cost(bound, Sequence(100, 0)).total == cost(SMALL, Sequence(100, 0)).total


def test_a_picture_beside_the_sequence_makes_no_pair_with_itself():
    crossed = replace(SMALL, crossed=1)
    given = Sequence(100, 10, beside=True)
    assert given.length == 10
    assert pairs(crossed, given) == 10 * 10 + 10 * 100


def test_a_sequence_of_nothing_is_refused():
    for image, text in ((0, 0), (-1, 5), (10**8, 1)):
        with pytest.raises(UserError, match="make no sequence"):
            Sequence(image, text)


def test_what_is_no_plain_decoder_is_not_applicable():
    for config, why in (
        ({"num_local_experts": 8}, "experts"),
        ({"encoder_layers": 6}, "encoder and a decoder"),
        ({"hidden_size": 8, "num_attention_heads": 2}, "does not say"),
    ):
        with pytest.raises(NotApplicable, match=why):
            Decoder.of(config)


def test_the_worked_example_is_its_own_arithmetic():
    found = example()
    assert found.pairs == (1088 * 1088 * 32, 576 * 576 * 32) == (37_879_808, 10_616_832)
    assert found.pair_ratio == pytest.approx(3.568, abs=1e-3)
    assert found.cost_ratio < found.pair_ratio < found.token_ratio, "most of the cost does not come from pairs"
    assert f"{found.pairs[0]:,}" in found.steps()[0]
    assert found.attention_share < 0.1


def test_published_ratios_are_worked_out_again():
    assert [round(row.ratio, 2) for row in TABLE] == [1, 8.03, 4, 16, 9]
    assert [row.verdict for row in TABLE] == ["agrees", "agrees", "cannot say", "agrees", "agrees"]
    assert replace(TABLE[0], told=2).verdict == "disagrees"
    verdicts = {quotation.model: quotation.verdict for quotation in QUOTATIONS}
    assert verdicts["llava-1.5-7b"] == verdicts["gemma3-4b"] == "agrees"
    assert verdicts["llava-next-7b"] == verdicts["smolvlm-2.2b"] == "disagrees"


def test_budgets_cost_more_the_more_they_keep_and_nothing_at_the_own_count():
    found = budgets(find("llava-1.5-7b"), (672, 672), 64)
    assert [each.tokens for each in found] == list(BUDGETS)
    assert [each.ratio for each in found] == sorted(each.ratio for each in found)
    own = found[BUDGETS.index(576)]
    assert (own.share, own.ratio) == (1, 1)
    towers = {each.cost.flops["vision tower"] for each in found}
    assert len(towers) == 1, "fewer tokens for the decoder save the tower nothing"


class Lab:
    """Measured accuracies of one compressor."""

    def budgets(self, compressor):
        return (36, 16, 9, 4)

    def accuracy(self, compressor, keep):
        return Estimate(keep / 36, 0, 1, 3, "")


def test_the_lab_stands_beside_a_budget_of_the_same_share_only():
    assert [in_the_lab(Lab(), "x", count / 576)[0] for count in (64, 144, 256, 576)] == [4, 9, 16, 36]
    assert in_the_lab(Lab(), "x", 1024 / 576) is None
    assert in_the_lab(Lab(), "x", 0.7) is None


def test_a_rate_is_measured_and_can_be_stopped():
    found = measure(torch.device("cpu"), seconds=0.01, side=32)
    assert 0 < found.low <= found.median <= found.high
    middle, fast, slow = found.seconds(1e9)
    assert fast <= middle <= slow
    assert middle == pytest.approx(1e9 / found.median)
    assert "GFLOP/s" in found.sentence()
    stopped = Progress()
    stopped.cancel()
    with pytest.raises(Cancelled):
        measure(torch.device("cpu"), progress=stopped)


def test_the_command_line_says_the_same(capsys):
    import json

    from vlmlens.cli import main

    assert main(["cost", "--model", "qwen2-vl-2b", "--picture", "672x448", "--text", "20", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["flops"]["total"] == find("qwen2-vl-2b").cost(672, 448, 20).total
    assert found["image_tokens"] == (672 // 28) * (448 // 28)
    assert main(["cost", "--list", "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["models"]) == set(published())
    for wrong in (["--model", "none"], ["--picture", "large"], ["--picture", "0x4"], ["--text", "-900"]):
        assert main(["cost", *wrong]) == 2
        assert len(capsys.readouterr().err.strip().splitlines()) == 1
