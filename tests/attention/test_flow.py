"""Maps over layers against brute-force twins, written from the papers' equations with loops."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from vlmlens.attention import (
    contrast,
    default_place,
    head_entropy,
    head_share,
    hellinger,
    image_heads,
    image_maps,
    relative,
    rollout,
    seen,
    sink_parts,
    value_norms,
)
from vlmlens.attribution.chefer import relevance
from vlmlens.attribution.from_attention import raw_map
from vlmlens.errors import NotApplicable
from vlmlens.models.inside import whole
from vlmlens.trace import Segment

QUESTION = "what color is the circle?"


@pytest.fixture
def prepared(any_model, scenes):
    return any_model.prepare(any_model.image(scenes[0]), QUESTION)


def layers_of(passed):
    """Site indices by layer, a readout by itself."""
    found = {}
    for index, site in enumerate(passed.sites):
        found.setdefault((site.layer, site.kind == "readout"), []).append(index)
    return found.values()


def test_whole_attention_is_that_of_a_trace(any_model, prepared, scenes):
    trace = any_model.inspect(scenes[0], QUESTION, new_tokens=0)
    passed = whole(any_model, prepared)
    assert all(torch.allclose(f.weights.sum(-1), torch.ones(()), atol=1e-5) for f in passed.flows)
    if passed.row < passed.length:
        for layer, flow in enumerate(passed.flows):
            np.testing.assert_allclose(flow.weights[:, -1], trace.attention()[layer, :, 0], atol=1e-5)


def test_rollout_is_the_product_of_its_steps(any_model, prepared):
    passed = whole(any_model, prepared)
    size = passed.length + 1
    total = np.eye(size)
    for layer in layers_of(passed):
        step = np.eye(size)
        for index in layer:
            site, weights = passed.sites[index], passed.flows[index].weights.numpy().astype(float)
            for r, query in enumerate(site.queries):
                row = np.zeros(size)
                for k, key in enumerate(site.keys):
                    row[key] += np.mean([weights[h, r, k] for h in range(len(weights))])
                if site.kind == "readout":
                    step[query] = row
                else:
                    step[query] = 0.5 * row
                    step[query, query] += 0.5
        total = step @ total
    expected = total[passed.row, : passed.length]
    np.testing.assert_allclose(rollout(passed), expected, atol=1e-5)
    np.testing.assert_allclose(rollout(passed).sum(), 1, atol=1e-4)


def test_relevance_follows_the_equations(any_model, prepared):
    candidate = 5
    passed = whole(any_model, prepared, lambda logits: logits.log_softmax(-1)[:, candidate])
    size = passed.length + 1
    total = np.eye(size)

    def over_identity(block):
        added = block - np.eye(len(block))
        mass = added.sum(axis=1, keepdims=True)
        return np.where(mass > 0, added / np.where(mass > 0, mass, 1), 0) + np.eye(len(block))

    for layer in layers_of(passed):
        new = total.copy()
        for index in layer:
            site = passed.sites[index]
            product = passed.flows[index].weights.numpy().astype(float) * passed.slopes[index].numpy().astype(float)
            cam = np.maximum(product, 0).mean(axis=0)
            s, q = list(site.queries), list(site.keys)
            if site.kind == "cross":
                new[np.ix_(s, q)] += over_identity(total[np.ix_(s, s)]).T @ cam @ over_identity(total[np.ix_(q, q)])
                new[np.ix_(s, s)] += cam @ total[np.ix_(q, s)]
            else:
                new[s] += cam @ total[q]
        total = new
    np.testing.assert_allclose(relevance(passed), total[passed.row, : passed.length], atol=1e-5)


def test_the_gradient_by_attention_is_what_a_small_change_does(concat, scenes):
    """A finite difference through a model whose last site's weights are all that changes: the readout's logits."""
    prepared = concat.prepare(concat.image(scenes[0]), QUESTION)
    passed = whole(concat, prepared, lambda logits: logits[:, 3])
    flow, slope = passed.flows[-1], passed.slopes[-1]
    readout = concat.model.readout

    def logit(weights):
        mixed = (weights[None] @ flow.value[None]).transpose(1, 2).flatten(2)
        return float(readout.head(readout.attention.out_proj(mixed)[:, 0])[0, 3])

    change = torch.zeros_like(flow.weights)
    change[1, 0, 4] = 1e-2
    with torch.no_grad():
        found = (logit(flow.weights + change) - logit(flow.weights - change)) / 2e-2
    np.testing.assert_allclose(found, float(slope[1, 0, 4]), rtol=1e-2, atol=1e-4)


def test_value_norms_are_the_norms_of_what_was_written(any_model, prepared, scenes):
    """Summed before the norm, each segment's vectors are the parts that the trace kept."""
    trace = any_model.inspect(scenes[0], QUESTION, new_tokens=0)
    passed = whole(any_model, prepared)
    layers, norms = value_norms(passed)
    assert norms.shape == (len(layers), trace.length)
    parts = trace.record("last").parts
    for row, layer in enumerate(layers):
        here = [i for i, place in enumerate(trace.places) if place.layer == layer]
        for segment in (Segment.IMAGE, Segment.QUESTION):
            together = np.linalg.norm(sum(parts[i][0, segment] for i in here))
            assert together <= norms[row, trace.segments == segment].sum() * (1 + 1e-4) + 1e-5
        one = np.flatnonzero(trace.segments == Segment.BOS)
        if len(one) == 1:  # a segment of one token: its vector is the part
            np.testing.assert_allclose(
                norms[row, one[0]], np.linalg.norm(parts[here[0]][0, Segment.BOS]), rtol=1e-3, atol=1e-5
            )


def test_hellinger_is_a_distance_with_known_values():
    maps = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [2, 0, 0, 0], [1, 1, 0, 0]], float)
    found = hellinger(maps)
    np.testing.assert_allclose(found, found.T)
    assert found[0, 1] == 1
    assert found[0, 2] == 0
    np.testing.assert_allclose(found[0, 3], np.sqrt(1 - np.sqrt(0.5)))  # 1 less the Bhattacharyya coefficient


def test_contrast_takes_the_farthest_fusion_layer(make_trace):
    attention = np.full((4, 1, 11), 1e-9)
    for layer, cell in enumerate((0, 1, 2, 2)):
        attention[layer, 0, 3 + cell] = 0.5
        attention[layer, 0, 3 + 2] += 0.1 * layer
    trace = make_trace(attention)
    found = contrast(trace, fusion=(1, 2))
    maps = attention[:, 0, 3:9] / attention[:, 0, 3:9].sum(axis=1, keepdims=True)
    distances = [np.sqrt(((np.sqrt(maps[p]) - np.sqrt(maps[3])) ** 2).sum() / 2) for p in range(4)]
    assert (found.early, found.late) == (1, 3)  # layer 0 lies farther, and does not fuse
    assert distances[0] > distances[1] > distances[2]
    np.testing.assert_allclose(found.values, maps[3] - maps[1], atol=1e-6)
    np.testing.assert_allclose(found.values.sum(), 0, atol=1e-6)
    assert contrast(trace).early == 0
    assert contrast(trace, fusion=(0, 1), review=2).late == 2
    assert contrast(trace, early=2, late=1).early == 2
    with pytest.raises(NotApplicable, match="no early layer 9"):
        contrast(trace, early=9)
    with pytest.raises(NotApplicable, match="two layers"):
        contrast(make_trace(attention[:1]))


def test_a_readout_is_no_late_layer_while_there_are_two_others(make_trace):
    attention = np.random.default_rng(0).random((3, 1, 11))
    trace = make_trace(attention)
    places = (*trace.places[:2], replace(trace.places[2], kind="readout"))
    found = contrast(replace(trace, places=places), fusion=(2,))
    assert (found.early, found.late, found.candidates) == (0, 1, (0,))
    assert contrast(replace(trace, places=places), late=2).late == 2
    only = replace(make_trace(attention[:2]), places=(places[0], replace(places[1], kind="readout")))
    assert (contrast(only).early, contrast(only).late) == (0, 1)


@pytest.fixture
def windowed(make_trace):
    """Four layers of which two see the last two patches alone."""
    attention = np.random.default_rng(0).random((4, 1, 11))
    attention[[0, 2], :, :7] = 0
    attention /= attention.sum(axis=-1, keepdims=True)
    trace = make_trace(attention)
    record = trace.rows["last"]
    visible = tuple(row > 0 for row in attention[:, 0, None])
    return replace(trace, rows={"last": replace(record, visible=visible)})


def test_layers_that_see_a_part_of_the_picture_are_compared_with_their_like(windowed, make_trace):
    assert seen(windowed).sum(axis=1).tolist() == [2, 6, 2, 6]
    found = contrast(windowed, fusion=(0, 1, 2))
    assert (found.early, found.late, found.candidates) == (1, 3, (1,))
    assert contrast(windowed, late=2).early == 0
    assert contrast(windowed, early=0).early == 0
    assert default_place(windowed) in (1, 3)
    note = raw_map(windowed).note
    assert "layer 1, layer 3" in note
    assert not raw_map(make_trace()).note
    with pytest.raises(NotApplicable, match="sliding window"):
        relative(windowed, make_trace(layers=4))
    np.testing.assert_allclose(relative(windowed, windowed), 1)
    record = windowed.rows["last"]
    three = {"last": replace(record, attention=record.attention[:2], visible=record.visible[:2])}
    with pytest.raises(NotApplicable, match="same part"):
        contrast(replace(windowed, places=windowed.places[:2], rows=three))


def test_relative_is_one_where_the_question_changes_nothing(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    np.testing.assert_allclose(relative(trace, trace), 1)
    other = any_model.inspect(scenes[0], "how many objects are there?")
    values = [image_maps(t)[1][:, :, 0] for t in (trace, other)]
    expected = [
        [np.mean(values[0][p, :, c]) / np.mean(values[1][p, :, c]) for c in range(36)] for p in range(len(values[0]))
    ]
    np.testing.assert_allclose(relative(trace, other), expected, rtol=1e-4, atol=1e-5)


def test_heads_are_told_apart(make_trace):
    attention = np.zeros((1, 3, 11))
    attention[0, 0, 3:9] = 1 / 6  # all on the picture, evenly
    attention[0, 1, 4] = 0.5  # half, on one patch
    attention[0, 1, 0] = attention[0, 2, 0] = 0.5
    _, entropy = head_entropy(make_trace(attention))
    np.testing.assert_allclose(entropy, [[np.log2(6), 0, 0]], atol=1e-6)
    np.testing.assert_allclose(head_share(make_trace(attention))[1], [[1, 0.5, 0]], atol=1e-6)
    assert [(place, head) for place, head, _, _ in image_heads(make_trace(attention), 2)] == [(0, 0), (0, 1)]


def test_sinks_are_listed_by_what_they_stand_for(make_trace):
    peaks = np.ones((2, 11), np.float32)
    peaks[0, [0, 1, 5]] = 30
    trace = make_trace(peaks=peaks)
    parts = sink_parts(trace)
    assert (parts.bos, parts.text, parts.registers) == ((0,), (1,), (5,))
    _, plain = image_maps(trace)
    _, kept = image_maps(trace, without=parts.registers)
    assert not kept[..., 2].any()
    assert plain[..., 2].any()
    np.testing.assert_array_equal(np.delete(kept, 2, axis=-1), np.delete(plain, 2, axis=-1))
