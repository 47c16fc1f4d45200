"""What torch's own attention cannot do, against transformers' eager functions: caps, learned sinks; and what comes with
such decoders: keys that a sliding window has dropped, a norm behind attention.
"""

import numpy as np
import pytest
import torch
from torch import nn
from transformers.models.gemma2.modeling_gemma2 import Gemma2RMSNorm
from transformers.models.gemma2.modeling_gemma2 import eager_attention_forward as capped
from transformers.models.gpt_oss.modeling_gpt_oss import eager_attention_forward as with_sinks
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from vlmlens.trace import Knockout, Site, rows
from vlmlens.trace.capture import Recorder, attend, recording

BATCH, HEADS, KEY_HEADS, LENGTH, DEPTH = 2, 4, 2, 9, 8
EVERY = tuple(range(LENGTH))
WINDOW = 4
OPTIONS = {"softcap": {"softcap": 1.5}, "sinks": {"s_aux": torch.tensor([2.0, -1.0, 0.5, 3.0])}}


class Module(nn.Module):
    """As much of an attention module as is looked at."""

    def __init__(self):
        super().__init__()
        self.is_causal = True
        self.num_key_value_groups = HEADS // KEY_HEADS
        self.sinks = OPTIONS["sinks"]["s_aux"]
        self.o_proj = nn.Linear(HEADS * DEPTH, 16)


@pytest.fixture
def module():
    torch.manual_seed(0)
    return Module().eval()


@pytest.fixture
def states():
    generator = torch.Generator().manual_seed(0)
    return [
        3 * torch.randn(BATCH, heads, LENGTH, DEPTH, generator=generator) for heads in (HEADS, KEY_HEADS, KEY_HEADS)
    ]


@pytest.fixture(params=OPTIONS)
def option(request):
    return request.param


@pytest.fixture(autouse=True)
def few_rows_at_once(monkeypatch):
    monkeypatch.setattr(rows, "ROWS_AT_ONCE", 4)


def sliding():
    """Bool [1, 1, query, key]: what is at most so far back."""
    back = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    return ((back >= 0) & (back < WINDOW))[None, None]


def eager(option, module, states, may):
    mask = torch.zeros(may.shape).masked_fill(~may, torch.finfo(torch.float32).min)
    if option == "softcap":
        return capped(module, *states, mask, scaling=DEPTH**-0.5, **OPTIONS[option])
    return with_sinks(module, *states, mask, scaling=DEPTH**-0.5)


def listening(module, rows=EVERY, queries=EVERY, **options):
    segments = np.array([0, 1, 1, 2, 2, 2, 3, 3, 4], np.int8)
    assert len(segments) == LENGTH
    return Recorder({module: Site("site", 0, "self", queries, EVERY)}, segments, {"site": rows}, **options)


def test_it_is_eager_attention_and_watching_changes_no_bit(option, module, states):
    may = sliding()
    expected, weights = eager(option, module, states, may)
    plain, _ = attend(module, *states, may, DEPTH**-0.5, **OPTIONS[option])
    torch.testing.assert_close(plain, expected, atol=1e-5, rtol=0)
    with recording(listening(module)) as recorder:
        watched, _ = attend(module, *states, may, DEPTH**-0.5, **OPTIONS[option])
    assert torch.equal(watched, plain)
    kept = recorder.kept["site"]
    torch.testing.assert_close(kept.attention, weights, atol=1e-6, rtol=0)
    assert torch.equal(kept.visible[0], may[0, 0])
    assert kept.sinks == (option == "sinks") == bool((kept.attention.sum(-1) < 0.999).any())
    without, _ = attend(module, *states, may, DEPTH**-0.5)
    assert not torch.allclose(without, plain, atol=1e-2)


@pytest.mark.parametrize("mask", ["none", "bool", "additive"])
def test_a_bias_of_positions_is_added_to_the_scores(mask, module, states):
    """Under any mask; torch takes both as one."""
    bias = torch.randn(1, HEADS, LENGTH, LENGTH, generator=torch.Generator().manual_seed(4))
    may = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()[None, None] if mask == "none" else sliding()
    added = torch.zeros(may.shape).masked_fill(~may, torch.finfo(torch.float32).min)
    expected, weights = capped(module, *states, bias + added, scaling=1.0)
    given = {"none": None, "bool": may, "additive": added}[mask]
    with recording(listening(module)) as recorder:
        found, _ = attend(module, *states, given, 1.0, position_bias=bias)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(recorder.kept["site"].attention, weights, atol=1e-6, rtol=0)
    assert torch.equal(recorder.kept["site"].visible[:1], may[:, 0])


def test_without_a_mask_it_looks_back(option, module, states):
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).tril()[None, None]
    plain, _ = attend(module, *states, None, DEPTH**-0.5, **OPTIONS[option])
    torch.testing.assert_close(plain, eager(option, module, states, causal)[0], atol=1e-5, rtol=0)


def test_a_knockout_is_a_mask_and_with_no_key_left_nothing_is_read(option, module, states):
    may, keys = sliding(), np.isin(EVERY, (0, 5))
    with recording(listening(module, edits=[Knockout(keys, "all")])) as recorder:
        found, _ = attend(module, *states, may, DEPTH**-0.5, **OPTIONS[option])
    blocked = may & ~torch.from_numpy(keys)
    expected, weights = eager(option, module, states, blocked)
    assert not found[:, 0].any()  # the first reads itself alone
    torch.testing.assert_close(found[:, 1:], expected[:, 1:], atol=1e-5, rtol=0)
    torch.testing.assert_close(recorder.kept["site"].attention[:, :, 1:], weights[:, :, 1:], atol=1e-6, rtol=0)
    assert not recorder.kept["site"].attention[:, :, 0].any()


def test_gradients_by_all_weights_are_those_of_eager_attention(option, module, states):
    may = sliding()
    sought = torch.randn(BATCH, LENGTH, HEADS, DEPTH, generator=torch.Generator().manual_seed(3))

    def slopes(attention):
        leaves = [state.clone().requires_grad_() for state in states]
        output, weights = attention(leaves)
        return weights, torch.autograd.grad((output * sought).sum(), [weights, *leaves])

    def ours(leaves):
        recorder = listening(module, whole=True)
        with recording(recorder):
            output, _ = attend(module, *leaves, may, DEPTH**-0.5, **OPTIONS[option])
        return output, recorder.flows["site"].weights

    weights, found = slopes(ours)
    wanted_weights, wanted = slopes(lambda leaves: eager(option, module, leaves, may))
    torch.testing.assert_close(weights, wanted_weights, atol=1e-6, rtol=0)
    for our, their in zip(found, wanted, strict=True):
        torch.testing.assert_close(our, their, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("options", [{}, *OPTIONS.values()], ids=["plain", *OPTIONS])
def test_a_row_over_the_keys_that_a_window_left_is_the_row_over_all(options, module, states):
    """The cache of a sliding layer holds the last keys only; positions stay those of the sequence."""
    query, key, value = states
    hidden = Knockout(np.isin(EVERY, (0, LENGTH - 2)))
    with recording(listening(module, (LENGTH - 1,), edits=[hidden])) as whole:
        expected, _ = attend(module, query, key, value, sliding(), DEPTH**-0.5, **options)
    with recording(listening(module, (LENGTH - 1,), (LENGTH - 1,), edits=[hidden])) as left:
        last = query[:, :, -1:], key[:, :, -WINDOW:], value[:, :, -WINDOW:]
        found, _ = attend(module, *last, None, DEPTH**-0.5, **options)
    torch.testing.assert_close(found, expected[:, -1:], atol=1e-5, rtol=0)
    ours, theirs = left.kept["site"], whole.kept["site"]
    torch.testing.assert_close(ours.attention, theirs.attention, atol=1e-6, rtol=0)
    assert torch.equal(ours.visible.expand_as(theirs.visible), theirs.visible)
    torch.testing.assert_close(ours.parts, theirs.parts, atol=1e-5, rtol=0)


@pytest.mark.parametrize("kind", [LlamaRMSNorm, Gemma2RMSNorm])
def test_behind_a_norm_the_parts_add_up_to_what_it_lets_through(kind, module, states):
    norm = kind(16)
    with torch.no_grad():
        norm.weight.add_(0.5 * torch.randn(16))
        module.o_proj.bias.zero_()
        with recording(listening(module, after={module: norm})) as recorder:
            output, _ = attend(module, *states, sliding(), DEPTH**-0.5)
        written = norm(module.o_proj(output.flatten(2)))
    kept = recorder.kept["site"]
    torch.testing.assert_close(kept.update, written, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(kept.parts.sum(2), written, atol=1e-5, rtol=1e-5)
    with recording(listening(module)) as recorder:
        attend(module, *states, sliding(), DEPTH**-0.5)
    shares = [
        part.norm(dim=-1) / part.norm(dim=-1).sum(-1, keepdim=True)
        for part in (kept.parts, recorder.kept["site"].parts)
    ]
    assert not torch.allclose(*shares, atol=1e-2)  # the gains weigh dimensions differently
