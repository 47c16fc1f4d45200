"""The attention function computes what scaled-dot-product attention computes, and its rows are the softmax."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vlmlens.trace import Segment, Site
from vlmlens.trace.capture import Recorder, attend, recording
from vlmlens.trace.rows import Call, row_attention

BATCH, HEADS, KEY_HEADS, LENGTH, DEPTH = 2, 6, 2, 7, 8
WIDTH = HEADS * DEPTH
EVERY = tuple(range(LENGTH))


class Listener(nn.Module):
    """As much of an attention module as `attend` looks at."""

    def __init__(self, is_causal=False):
        super().__init__()
        self.is_causal = is_causal
        self.o_proj = nn.Linear(WIDTH, WIDTH)


def inputs(key_heads=HEADS, seed=0):
    generator = torch.Generator().manual_seed(seed)
    sizes = (BATCH, HEADS), (BATCH, key_heads), (BATCH, key_heads)
    return tuple(torch.randn(*size, LENGTH, DEPTH, generator=generator) for size in sizes)


def allowed():
    """Bool [batch, 1, query, key], some keys blocked, the diagonal never."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.rand(BATCH, 1, LENGTH, LENGTH, generator=generator) > 0.4
    return mask | torch.eye(LENGTH, dtype=torch.bool)


def additive():
    generator = torch.Generator().manual_seed(2)
    mask = torch.randn(BATCH, 1, LENGTH, LENGTH, generator=generator)
    return mask.masked_fill(~allowed(), torch.finfo(torch.float32).min)


CASES = {
    "plain": {},
    "bool mask": {"mask": allowed()},
    "one row of mask for all": {"mask": allowed()[:, :, :1].expand(-1, -1, LENGTH, -1)},
    "additive mask": {"mask": additive()},
    "additive with infinities": {"mask": torch.zeros(1, 1, LENGTH, LENGTH).masked_fill(~allowed()[:1], -torch.inf)},
    "mask longer than the keys": {"mask": F.pad(allowed(), (0, 3))},
    "causal": {"causal": True},
    "grouped queries": {"key_heads": KEY_HEADS},
    "grouped queries under a mask": {"key_heads": KEY_HEADS, "mask": allowed()},
    "scaling": {"scaling": 1.0},
    "everything": {"key_heads": KEY_HEADS, "mask": additive(), "scaling": 0.3},
}


def watching(module, edits=(), name="site"):
    site = Site(name, 0, "self", EVERY, EVERY)
    return Recorder({module: site}, np.full(LENGTH, Segment.QUESTION), {name: EVERY}, edits=edits)


def by_hand(query, key, mask=None, causal=False, scaling=None):
    """Softmax of every row, one query, head and key at a time."""
    weights = torch.zeros(BATCH, HEADS, LENGTH, LENGTH)
    group = HEADS // key.shape[1]
    scale = DEPTH**-0.5 if scaling is None else scaling
    for b in range(BATCH):
        for h in range(HEADS):
            for q in range(LENGTH):
                scores = torch.full((LENGTH,), -torch.inf, dtype=torch.float64)
                for k in range(q + 1 if causal else LENGTH):
                    score = float(query[b, h, q].double() @ key[b, h // group, k].double()) * scale
                    if mask is not None:
                        of_batch = mask[min(b, len(mask) - 1), 0, q, k]
                        score += float(of_batch) if mask.dtype != torch.bool else 0.0 if of_batch else -torch.inf
                    scores[k] = score
                weights[b, h, q] = scores.softmax(-1)
    return weights


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("watched", [False, True], ids=["alone", "watched"])
def test_the_output_is_that_of_torch_bit_by_bit(case, watched):
    query, key, value = inputs(case.get("key_heads", HEADS))
    mask, causal = case.get("mask"), case.get("causal", False)
    module = Listener(causal)
    expected = F.scaled_dot_product_attention(
        query,
        key,
        value,
        None if mask is None else mask[..., :LENGTH],
        is_causal=causal,
        scale=case.get("scaling"),
        enable_gqa=key.shape[1] != HEADS,
    )
    recorder = watching(module if watched else nn.Identity())
    with recording(recorder):
        output, weights = attend(module, query, key, value, mask, case.get("scaling"))
    assert torch.equal(output, expected.transpose(1, 2))
    assert weights is None
    assert bool(recorder.kept) == watched


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_rows_are_the_softmax_computed_by_hand(case):
    query, key, value = inputs(case.get("key_heads", HEADS))
    module = Listener(case.get("causal", False))
    with recording(watching(module)) as recorder:
        attend(module, query, key, value, case.get("mask"), case.get("scaling"))
    kept = recorder.kept["site"]
    expected = by_hand(query, key, case.get("mask"), case.get("causal", False), case.get("scaling"))
    torch.testing.assert_close(kept.attention, expected, atol=2e-6, rtol=0)
    torch.testing.assert_close(kept.attention.sum(-1), torch.ones(BATCH, HEADS, LENGTH))
    assert torch.equal(kept.visible.expand(BATCH, -1, -1), (expected > 0).any(dim=1))


@pytest.mark.parametrize("key_heads", [HEADS, KEY_HEADS])
def test_the_watched_update_is_the_sum_of_its_parts_and_what_the_module_writes(key_heads):
    query, key, value = inputs(key_heads)
    module = Listener()
    recorder = watching(module)
    recorder.segments = np.array([0, 1, 1, 2, 2, 3, 4])
    with recording(recorder), torch.no_grad():
        output, _ = attend(module, query, key, value, allowed())
        written = module.o_proj(output.flatten(2)) - module.o_proj.bias
    kept = recorder.kept["site"]
    torch.testing.assert_close(kept.update, written, atol=1e-5, rtol=0)
    torch.testing.assert_close(kept.parts.sum(dim=2), written, atol=1e-5, rtol=0)


def test_some_rows_are_the_same_as_those_rows_of_all():
    call = Call(*inputs(KEY_HEADS), allowed())
    every, _ = row_attention(call, torch.arange(LENGTH), None)
    some, seen = row_attention(call, torch.tensor([5, 0]), None)
    torch.testing.assert_close(some, every[:, :, [5, 0]])
    assert torch.equal(seen, allowed()[:, 0, [5, 0]])


def test_a_row_with_nothing_to_look_at_gets_nothing():
    query, key, value = inputs()
    mask = allowed()
    mask[:, :, 3] = False
    module = Listener()
    with recording(watching(module)) as recorder:
        output, _ = attend(module, query, key, value, mask)
    kept = recorder.kept["site"]
    assert not output[:, 3].any()
    assert not kept.attention[:, :, 3].any()
    assert not kept.visible[:, 3].any()
    assert output.isfinite().all()
    assert kept.attention.isfinite().all()


def test_only_modules_that_are_sites_are_kept():
    query, key, value = inputs()
    module = Listener()
    with recording(watching(module)) as recorder:
        attend(Listener(), query, key, value, None)
        assert not recorder.kept
        attend(module, query, key, value, None)
    assert recorder.kept.keys() == {"site"}
