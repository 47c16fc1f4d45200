"""The contribution budget against a twin that never meets the recorder.

The twin hooks every attention module, takes what went in, and works out for every head and every single key the vector
that this key adds to every query's residual stream.
"""

from contextlib import ExitStack

import numpy as np
import pytest
import torch
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from vlmlens.attention import contributions
from vlmlens.errors import NotWatched
from vlmlens.trace import Segment, Watch

QUESTION = "is the square left of the star?"


def by_key(query, key, value, matrix, scaling, causal):
    """Vectors [query, key, width] and attention [head, query, key], from states [head, position, width of a head]."""
    heads, queries, depth = query.shape
    keys, group = key.shape[1], heads // key.shape[0]
    weights = torch.zeros(heads, queries, keys)
    vectors = torch.zeros(queries, keys, matrix.shape[0])
    for h in range(heads):
        scores = query[h] @ key[h // group].T * scaling
        if causal:
            scores = scores.masked_fill(torch.ones_like(scores).triu(1).bool(), -torch.inf)
        weights[h] = scores.softmax(-1)
        for k in range(keys):
            written = matrix[:, h * depth : (h + 1) * depth] @ value[h // group, k]
            vectors[:, k] += weights[h, :, k, None] * written
    return vectors, weights


def of_lab(module, arguments, _options):
    x, y = arguments[0][0], arguments[1][0]

    def split(states):
        return states.unflatten(-1, (module.heads, -1)).transpose(0, 1)

    query, key, value = split(module.q_proj(x)), split(module.k_proj(y)), split(module.v_proj(y))
    return by_key(query, key, value, module.out_proj.weight, query.shape[-1] ** -0.5, causal=False)


def of_llama(module, arguments, options):
    states = options["hidden_states"] if "hidden_states" in options else arguments[0]

    def split(projected):
        return projected.unflatten(-1, (-1, module.head_dim)).transpose(1, 2)

    query, key = split(module.q_proj(states)), split(module.k_proj(states))
    query, key = apply_rotary_pos_emb(query, key, *options["position_embeddings"])
    value = split(module.v_proj(states))[0]
    return by_key(query[0], key[0], value, module.o_proj.weight, module.head_dim**-0.5, causal=True)


def of_two_pools(module, arguments, _options):
    """The first half of the heads pools the patches, the other half the words."""
    stream, patches = arguments[0][0], arguments[2]
    heads, depth = module.query.shape[0] // 2, module.query.shape[-1]  # of each half

    def split(of_image, of_words):
        return torch.cat([part(stream).unflatten(-1, (heads, depth)).transpose(0, 1) for part in (of_image, of_words)])

    key, value = split(module.image_keys, module.word_keys), split(module.image_values, module.word_values)
    weights, vectors = torch.zeros(2 * heads, 1, len(stream)), torch.zeros(1, len(stream), 2 * heads * depth)
    for h in range(2 * heads):
        own = slice(0, patches) if h < heads else slice(patches, None)
        weights[h, 0, own] = (key[h, own] @ module.query[h, 0] / depth**0.5).softmax(-1)
        vectors[0, :, h * depth : (h + 1) * depth] = weights[h, 0, :, None] * value[h]
    return vectors, weights


def attention_modules(vlm, length):
    """(layer, module, query positions, key positions, twin), found without the model's own list of sites."""
    if vlm.info.family != "lab":
        every = list(range(length))
        layers = vlm.model.model.language_model.layers
        return [(number, layer.self_attn, every, every, of_llama) for number, layer in enumerate(layers)]
    latents = len(getattr(vlm.model.fusion, "latents", ()))
    image, words, queries = np.split(np.arange(length), [36, length - latents])
    span = {
        "image": [*image],
        "question": [*words],
        "both": [*image, *words],
        "latents": [*queries],
        "latents and words": [*words, *queries],
        "latents and picture": [*image, *queries],
    }
    layers = vlm.model.fusion.layers
    found = [
        (number, link.attention, span[link.look.queries], span[link.look.keys], of_lab)
        for number, layer in enumerate(layers)
        for link in layer
    ]
    readout = vlm.model.readout.attention
    of_readout = of_two_pools if hasattr(readout, "image_keys") else of_lab
    return [*found, (len(layers), readout, [length], span[vlm.wiring.reads], of_readout)]


def twin(vlm, picture, question):
    """Segments; per layer what each row, the last a readout's, got from each position; how much each row counts."""
    ready = vlm.prepare(vlm.image(picture), question)
    caught, attention = {}, {}

    def hook(module, arguments, options):
        caught[module] = arguments, options

    modules = attention_modules(vlm, ready.length)
    with ExitStack() as stack, torch.no_grad():
        for _, module, *_ in modules:
            stack.callback(module.register_forward_pre_hook(hook, with_kwargs=True).remove)
        vlm.logits(ready)
    with torch.no_grad():
        layers = {}
        for layer, module, queries, keys, explain in modules:
            vectors, weights = explain(module, *caught[module])
            empty = np.zeros((ready.length + 1, ready.length, vectors.shape[-1]))  # [row, position, width]
            whole = layers.setdefault(layer, empty)
            whole[np.ix_(queries, keys)] += vectors.double().numpy()
            attention[layer, queries[-1]] = keys, weights.double().numpy()
    pooling = np.zeros(ready.length + 1)  # how much each position's row counts in the answer's
    if vlm.info.family == "lab":
        keys, weights = attention[max(layers), ready.length]
        pooling[keys] = weights.mean(axis=0)[0]
        pooling[-1] = 1
    else:
        pooling[ready.length - 1] = 1
    return ready.segments, layers, pooling


def segment_vectors(vectors, segments):
    """[..., position, width] to [..., segment, width]."""
    return np.stack([vectors[..., segments == s, :].sum(axis=-2) for s in Segment], axis=-2)


@pytest.fixture
def both(any_model, scenes):
    """A trace and its twin."""
    with any_model.lock:
        return any_model.inspect(scenes[0], QUESTION), twin(any_model, scenes[0], QUESTION)


def test_the_answers_row_is_split_as_the_twin_splits_it(both):
    trace, (segments, layers, pooling) = both
    result = contributions(trace)
    norms = []
    for vectors in layers.values():
        parts = segment_vectors(np.einsum("q,qkw->kw", pooling, vectors), segments)
        norms.append(np.linalg.norm(parts, axis=-1)[list(result.segments)])
    norms = np.array(norms)
    np.testing.assert_allclose(result.norm, norms, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(result.share, norms / norms.sum(axis=1, keepdims=True), atol=1e-4)
    whole = [np.linalg.norm(np.einsum("q,qkw->w", pooling, vectors)) for vectors in layers.values()]
    np.testing.assert_allclose(result.update, whole, rtol=1e-4, atol=1e-5)


def test_the_questions_rows_are_split_as_the_twin_splits_them(both):
    trace, (segments, layers, _) = both
    if "question" not in trace.rows:
        assert not any(vectors[:-1][segments == Segment.QUESTION].any() for vectors in layers.values())
        return
    result = contributions(trace, "question")
    rows = list(trace.rows["question"].positions)
    for line, vectors in enumerate(layers.values()):
        norms = np.linalg.norm(segment_vectors(vectors[rows], segments), axis=-1).mean(axis=0)
        np.testing.assert_allclose(result.norm[line], norms[list(result.segments)], rtol=1e-4, atol=1e-5)


def test_the_parts_add_up_to_the_update(any_model, scenes):
    for scene in scenes[:3]:
        trace = any_model.inspect(scene, QUESTION)
        for record in trace.rows.values():
            for parts, update in zip(record.parts, record.update, strict=True):
                size = np.linalg.norm(update, axis=-1, keepdims=True)
                assert (np.abs(parts.sum(axis=1) - update) <= 1e-5 * size).all()


def test_shares_sum_to_one_for_every_wiring(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    result = contributions(trace)
    np.testing.assert_allclose(result.share.sum(axis=1), 1.0)
    assert (result.share >= 0).all()
    assert len(result.labels) == len({place.layer for place in trace.places})
    assert (result.update <= result.norm.sum(axis=1) * (1 + 1e-5)).all()  # the triangle inequality


def test_parts_that_oppose_each_other_count_in_full(make_trace):
    trace = make_trace(layers=1, width=2)
    parts = np.zeros((1, len(Segment), 2), np.float32)
    parts[0, Segment.IMAGE], parts[0, Segment.QUESTION] = (3, 4), (-3, -4)
    record = trace.rows["last"]
    object.__setattr__(record, "parts", (parts,))
    object.__setattr__(record, "update", (parts.sum(axis=1),))
    result = contributions(trace)
    assert result.of(Segment.IMAGE).tolist() == result.of(Segment.QUESTION).tolist() == [0.5]
    assert result.norm.sum() == 10
    assert result.update.tolist() == [0]


def test_what_was_not_watched_is_refused_by_name(any_model, make_trace, scenes):
    lean = any_model.inspect(scenes[0], QUESTION, watch=Watch(contributions=False))
    with pytest.raises(NotWatched, match="contributions=True"):
        contributions(lean)
    for rows in ("question", "answer"):
        with pytest.raises(NotWatched, match=rows):
            contributions(make_trace(), rows)


def test_the_table_says_the_same(make_trace):
    result = contributions(make_trace())
    frame = result.to_frame()
    np.testing.assert_array_equal(frame["share_image"], result.of(Segment.IMAGE))
    np.testing.assert_array_equal(frame["update_norm"], result.update)
