"""A knock-out is an additive mask, told in words: nothing else changes, and variants in one batch do not mix."""

import numpy as np
import pytest
import torch
from torch import nn

from vlmlens.lab.fusion import WIRINGS, Fusion
from vlmlens.lab.model import Readout
from vlmlens.lab.vision import WIDTH, Attention
from vlmlens.trace import Knockout, Replace, Segment, Site
from vlmlens.trace.capture import Recorder, entering, recording

PATCHES, WORDS = 5, 4
LENGTH = PATCHES + WORDS
EVERY = tuple(range(LENGTH))
RNG = np.random.default_rng(0)
IMAGE = np.arange(LENGTH) < PATCHES


class Model(nn.Module):
    """An untrained wiring of one sequence, with its readout."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.fusion = Fusion(WIRINGS["concat"])
        self.readout = Readout()
        for parameter in self.parameters():
            parameter.requires_grad_(False)
            if parameter.ndim > 1:
                parameter.mul_(4)  # so that attention is far from uniform

    def sites(self):
        links = {layer[0].attention: number for number, layer in enumerate(self.fusion.layers)}
        found = {module: Site(f"layer {i}", i, "self", EVERY, EVERY) for module, i in links.items()}
        found[self.readout.attention] = Site("readout", len(links), "readout", (LENGTH,), EVERY)
        return found

    def forward(self, states, variants=1):
        states = states.expand(variants, -1, -1)
        mask = torch.ones(states.shape[:2], dtype=torch.bool)
        return self.readout(*self.fusion(states[:, :PATCHES], states[:, PATCHES:], mask[:, PATCHES:]))


@pytest.fixture(scope="module")
def model():
    return Model()


@pytest.fixture(scope="module")
def states():
    return torch.randn(1, LENGTH, WIDTH, generator=torch.Generator().manual_seed(1))


def run(model, states, *edits, variants=1):
    with recording(Recorder(model.sites(), np.full(LENGTH, Segment.IMAGE), {}, edits=edits)):
        return model(states, variants)


def with_masks(model, states, blocked, layers, monkeypatch):
    """The forward pass with bool [position + 1, position] subtracted from the scores of every layer in `layers`."""
    site_of = model.sites()

    def forward(self, x, y, mask=None, turns=None):
        def split(t):
            return t.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        query, key, value = split(self.q_proj(x)), split(self.k_proj(y)), split(self.v_proj(y))
        scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
        site = site_of[self]
        if site.layer in layers:
            rows = torch.from_numpy(blocked[list(site.queries)])
            scores = scores + torch.zeros(rows.shape).masked_fill(rows, -1e30)
        return self.out_proj((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))

    monkeypatch.setattr(Attention, "forward", forward)
    return model(states)


def explicit(keys, rows):
    """Bool [position + 1, position]: which edges a knock-out blocks, by its definition."""
    blocked = np.zeros((LENGTH + 1, LENGTH), bool)
    for reader in range(LENGTH + 1):
        if isinstance(rows, np.ndarray):
            hindered = rows[reader]
        else:
            hindered = rows == "all" or reader == LENGTH or not keys[reader]
        for key in range(LENGTH):
            blocked[reader, key] = hindered and keys[key]
    return blocked


KEYS = RNG.random(LENGTH) < 0.4
SOME_ROWS = RNG.random(LENGTH + 1) < 0.5


@pytest.mark.parametrize("rows", ["others", "all", SOME_ROWS], ids=["others", "all", "some"])
@pytest.mark.parametrize("layers", [None, (1, 2), (4,)], ids=["everywhere", "a window", "readout"])
@pytest.mark.parametrize("keys", [KEYS, IMAGE], ids=["scattered", "image"])
def test_it_equals_an_explicit_mask(model, states, rows, layers, keys, monkeypatch):
    ours = run(model, states, Knockout(keys, rows, layers))
    assert not torch.allclose(ours, model(states), atol=1e-4)
    expected = with_masks(model, states, explicit(keys, rows), layers or range(5), monkeypatch)
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("rows", ["others", "all", SOME_ROWS], ids=["others", "all", "some"])
def test_variants_in_one_batch_equal_separate_runs(model, states, rows):
    keys = RNG.random((6, LENGTH)) < 0.4
    keys[0] = False
    together = run(model, states, Knockout(keys, rows), variants=6)
    for variant, of_variant in zip(together, keys, strict=True):
        torch.testing.assert_close(variant, run(model, states, Knockout(of_variant, rows))[0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(together[0], model(states)[0], atol=1e-5, rtol=1e-5)


def test_blocking_nothing_changes_no_bit(model, states):
    plain = model(states)
    assert torch.equal(run(model, states, Knockout(np.zeros(LENGTH, bool))), plain)
    assert torch.equal(run(model, states, Knockout(KEYS, layers=())), plain)
    assert torch.equal(run(model, states), plain)


def test_two_knockouts_equal_one_of_both(model, states):
    halves = KEYS & IMAGE, KEYS & ~IMAGE
    apart = run(model, states, *(Knockout(half, "all") for half in halves))
    torch.testing.assert_close(apart, run(model, states, Knockout(KEYS, "all")))


def test_with_every_key_blocked_attention_writes_only_its_bias(model, states):
    """The update is zero, so that with biases of zero the residual stream stays as it is."""
    attention = model.fusion.layers[0][0].attention
    site = {attention: Site("s", 0, "self", EVERY, EVERY)}
    with recording(Recorder(site, np.zeros(LENGTH), {}, edits=[Knockout(np.ones(LENGTH, bool), "all")])):
        written = attention(states, states)
    assert torch.equal(written, attention.out_proj.bias.expand_as(written))


def test_replaced_states_enter_their_layer_and_no_other():
    layer_of = {}
    edit = Replace.zero(2, [1, 3])
    states = torch.ones(2, 4, 8)
    with recording(Recorder({}, np.zeros(4), {}, edits=[edit])):
        for layer in range(4):
            layer_of[layer] = entering(layer, states, range(4))
    for layer, found in layer_of.items():
        if layer != 2:
            assert found is states
    assert not layer_of[2][:, [1, 3]].any()
    assert torch.equal(layer_of[2][:, [0, 2]], states[:, [0, 2]])
    assert states.all()  # the caller's own are left alone


def test_replaced_states_are_placed_by_position_not_by_index():
    new = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    with recording(Recorder({}, np.zeros(9), {}, edits=[Replace(0, (8, 2, 5), new)])):
        found = entering(0, torch.zeros(1, 2, 2), [5, 8])  # a stream that holds two of the three positions
    assert found.tolist() == [[[3.0, 3.0], [1.0, 1.0]]]


def test_replacing_states_by_themselves_changes_no_bit(model, states):
    plain = model(states)
    image, question = states[:, :PATCHES], states[:, PATCHES:]
    entered = torch.cat([model.fusion.enter_image(image), model.fusion.enter_question(question)], dim=1)
    assert torch.equal(run(model, states, Replace(0, EVERY, entered[0].numpy())), plain)
    assert not torch.equal(run(model, states, Replace.zero(0, EVERY[:3])), plain)
