"""The attention budget: what any attention must give, and the same numbers added up by hand."""

from dataclasses import replace

import numpy as np
import pytest

from vlmlens.attention import budget
from vlmlens.errors import NotWatched
from vlmlens.trace import Segment, Watch

QUESTION = "what color is the circle?"


def random_attention(seed=0, layers=3, heads=2, length=11):
    return np.random.default_rng(seed).dirichlet(np.ones(length), (layers, heads))


def test_uniform_attention_gives_every_segment_its_size(make_trace):
    trace = make_trace(layers=4)
    result = budget(trace)
    np.testing.assert_allclose(result.rate, 1.0, rtol=1e-6)
    np.testing.assert_allclose(result.entropy, np.log2(trace.length), rtol=1e-6)
    np.testing.assert_allclose(result.share.sum(axis=1), 1.0)


def test_all_attention_on_one_token_has_no_entropy(make_trace):
    attention = np.zeros((1, 2, 11))
    attention[:, :, 4] = 1
    result = budget(make_trace(attention))
    assert result.entropy.tolist() == [0.0]
    assert result.of(Segment.IMAGE).tolist() == [1.0]
    np.testing.assert_allclose(result.rate[0, result.segments.index(Segment.IMAGE)], 11 / 6)


def test_what_a_learned_sink_takes_is_listed_apart(make_trace):
    attention = random_attention()
    trace = make_trace(0.75 * attention)
    trace = replace(trace, places=tuple(replace(place, sinks=place.layer > 0) for place in trace.places))
    found, plain = budget(trace), budget(make_trace(attention))
    np.testing.assert_allclose(found.nowhere, [0, 0.25, 0.25], atol=1e-6)
    np.testing.assert_allclose(found.share, plain.share, atol=1e-6)
    assert "nowhere" in found.to_frame()
    assert "nowhere" not in plain.to_frame()


def test_shares_sum_to_one_where_segments_compete_and_are_undefined_elsewhere(any_model, scenes):
    result = budget(any_model.inspect(scenes[0], QUESTION))
    sums = result.share.sum(axis=1)
    np.testing.assert_allclose(sums[result.competes], 1.0, atol=1e-6)
    assert np.isnan(result.share[~result.competes]).all()
    assert np.isnan(result.rate[~result.competes]).all()
    assert (result.entropy >= 0).all()
    assert (result.entropy <= np.log2(100)).all()


def test_image_and_text_compete_where_one_softmax_holds_both(model):
    competes = {name: budget(model(f"lab:{name}").inspect(np.zeros((48, 48), np.uint8), QUESTION)).competes.tolist()
                for name in ("img2txt", "txt2img", "concat", "bidirectional", "llava")}  # fmt: skip
    assert competes["concat"] == [True] * 5
    assert competes["llava"] == [True] * 3
    assert not any(competes["img2txt"] + competes["txt2img"])
    assert competes["bidirectional"] == [False, False, True]  # two layers of self-attention, and the readout over both


@pytest.mark.parametrize("rows", ["last", "question"])
def test_it_is_the_attention_added_up_by_hand(rows, any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    if rows not in trace.rows:  # no question token of this model looks at anything
        with pytest.raises(NotWatched):
            budget(trace, rows)
        return
    result = budget(trace, rows)
    attention, record = trace.attention(rows), trace.rows[rows]
    layers = [i for i, place in enumerate(trace.places) if place.kind != "cross"]
    for line, layer in enumerate(layers):
        looking = [row for row in range(len(record.positions)) if record.visible[layer][row].any()]
        if not looking:
            assert np.isnan(result.share[line]).all()
            assert np.isnan(result.entropy[line])
            continue
        entropies = []
        for row in looking:
            mean = [sum(attention[line, :, row, key]) / attention.shape[1] for key in range(trace.length)]
            entropies.append(-sum(p * np.log2(p) for p in mean if p > 0))
        np.testing.assert_allclose(result.entropy[line], np.mean(entropies), atol=1e-5)
        if not trace.places[layer].competes:
            continue
        for column, segment in enumerate(result.segments):
            keys = [key for key in range(trace.length) if trace.segments[key] == segment]
            mass = np.mean([[sum(attention[line, head, row, keys]) for head in range(attention.shape[1])]
                            for row in looking])  # fmt: skip
            np.testing.assert_allclose(result.share[line, column], mass, atol=1e-5)
            if rows == "last":
                seen = record.visible[layer][0]
                np.testing.assert_allclose(
                    result.rate[line, column], mass / (seen[keys].sum() / seen.sum()), rtol=1e-4, atol=1e-6
                )


def test_leaving_positions_out_renormalises_over_the_rest(make_trace):
    attention = random_attention()
    without = (0, 4, 9)
    kept = [i for i in range(11) if i not in without]
    renormalised = np.zeros_like(attention)
    mean = attention.mean(axis=1, keepdims=True)
    renormalised[:, :, kept] = mean[:, :, kept] / mean[:, :, kept].sum(axis=-1, keepdims=True)
    left_out, by_hand = budget(make_trace(attention), without=without), budget(make_trace(renormalised))
    np.testing.assert_allclose(left_out.share, by_hand.share, atol=1e-6)
    np.testing.assert_allclose(left_out.share.sum(axis=1), 1.0)
    np.testing.assert_allclose(left_out.entropy, by_hand.entropy, atol=1e-6)
    assert (left_out.of(Segment.BOS) == 0).all()
    bos = left_out.segments.index(Segment.BOS)
    assert np.isnan(left_out.rate[:, bos]).all()  # nothing of it is left, so it has no size to compare with
    image = left_out.segments.index(Segment.IMAGE)
    np.testing.assert_allclose(left_out.rate[:, image], left_out.share[:, image] / (5 / 8))


@pytest.mark.filterwarnings("error")
def test_with_everything_left_out_nothing_is_claimed(make_trace):
    trace = make_trace(random_attention())
    result = budget(trace, without=range(trace.length))
    assert np.isnan(result.share).all()
    assert np.isnan(result.entropy).all()


def test_the_order_of_heads_and_tokens_does_not_matter(make_trace):
    attention = random_attention(heads=4)
    image = np.arange(3, 9)
    shuffled = attention[:, [2, 0, 3, 1]]
    shuffled[:, :, image] = shuffled[:, :, image[::-1]]
    np.testing.assert_allclose(budget(make_trace(shuffled)).share, budget(make_trace(attention)).share, rtol=1e-6)


def test_a_segment_that_is_not_there_has_nothing(make_trace):
    result = budget(make_trace())
    assert Segment.ANSWER not in result.segments
    assert result.of(Segment.ANSWER).tolist() == [0.0, 0.0]


def test_the_table_says_the_same(make_trace):
    result = budget(make_trace(random_attention()))
    frame = result.to_frame()
    np.testing.assert_array_equal(frame["share_image"], result.of(Segment.IMAGE))
    assert list(frame["layer"]) == ["layer 1", "layer 2", "layer 3"]


@pytest.mark.parametrize("rows", ["question", "answer"])
def test_rows_that_were_not_watched_are_refused_by_name(rows, make_trace, any_model, scenes):
    with pytest.raises(LookupError, match=rows):
        budget(make_trace(), rows=rows)
    last_only = any_model.inspect(scenes[0], QUESTION, watch=Watch(rows=("last",)))
    with pytest.raises(NotWatched, match=f"{rows}.*last"):
        budget(last_only, rows)
