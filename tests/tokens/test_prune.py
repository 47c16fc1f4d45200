"""Pruning on every decoder family: who stays is who a brute-force twin keeps, and the answer is the twin's."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from vlmlens.errors import NotApplicable
from vlmlens.models.families import FAMILIES, RESAMPLED, STREAMS
from vlmlens.models.generation import generate
from vlmlens.tokens.prune import count, layers_allowed, prune
from vlmlens.tokens.rank import RANKERS
from vlmlens.trace import Knockout, Segment, Watch

QUESTION = "what color is the circle?"
DECODERS = [*FAMILIES, *RESAMPLED]
STEPS = 4


@pytest.fixture(params=[*DECODERS, "llava_with_sinks"])
def kind(request):
    return request.param


@pytest.fixture
def vlm(kind, load):
    return load(kind)


def run(vlm, ready):
    with vlm.lock:
        return vlm.run(ready, None)[0]


def first(vlm):
    return layers_allowed(vlm)[0]


def dropped(vlm, ready, pruning):
    """The image tokens that left, bool [position] of what is prepared."""
    gone = np.ones(ready.length, bool)
    gone[: vlm.before] = False
    gone[pruning.kept[0].numpy() + vlm.before] = False
    return gone


def masked(vlm, ready, pruning):
    """The full model, in whose later layers nobody reads those that left: the same numbers, at the full price."""
    later = tuple(range(pruning.layer, len(vlm.layers)))
    with vlm.lock:
        return vlm.run(ready, None, [Knockout(dropped(vlm, ready, pruning), "others", later)])[0]


def test_with_all_tokens_it_is_the_full_model_bit_by_bit(vlm, pictures):
    ready = vlm.prepare(pictures[1], QUESTION)
    wanted, said = run(vlm, ready), vlm.generate(ready)
    for by in RANKERS:
        with prune(vlm, 1.0, first(vlm), by) as pruning:
            assert torch.equal(run(vlm, ready), wanted)
            assert pruning.survivors.all()
    with prune(vlm, 1.0, first(vlm)):
        assert vlm.generate(ready) == said


@pytest.mark.parametrize("share", [0.5, 0.1, 0.0])
def test_leaving_the_sequence_is_being_invisible_to_the_later_layers(vlm, pictures, share):
    for picture in pictures[:2]:
        ready = vlm.prepare(picture, QUESTION)
        full = run(vlm, ready)
        with prune(vlm, share, first(vlm)) as pruning:
            found = run(vlm, ready)
        image = ready.segments[vlm.before :] == Segment.IMAGE
        tokens = image.sum() if vlm.before == 0 else vlm.queries
        assert pruning.kept.shape[1] == ready.length - vlm.before - tokens + count(share, tokens)
        torch.testing.assert_close(found, masked(vlm, ready, pruning), atol=1e-5, rtol=1e-5)
        assert not torch.allclose(found, full, atol=1e-4)


def test_the_later_layers_really_are_given_fewer_positions(vlm, pictures):
    ready = vlm.prepare(pictures[0], QUESTION)
    lengths = {}
    handles = [
        layer.register_forward_hook(
            lambda _m, _a, out, i=i: lengths.update({i: (out[0] if isinstance(out, tuple) else out).shape[1]})
        )
        for i, layer in enumerate(vlm.layers)
    ]
    try:
        with prune(vlm, 0.25, first(vlm)) as pruning:
            run(vlm, ready)
    finally:
        for handle in handles:
            handle.remove()
    whole, less = ready.length - vlm.before, pruning.kept.shape[1]
    assert less < whole
    assert [lengths[i] for i in range(len(vlm.layers))] == [
        whole if i < pruning.layer else less for i in range(len(vlm.layers))
    ]


@pytest.mark.parametrize("kind", FAMILIES, indirect=True)
def test_those_stay_whom_an_eager_model_attends_to_most(kind, vlm, plain, pictures):
    ready = vlm.prepare(pictures[1], QUESTION)
    with torch.inference_mode():
        rows = plain(kind)(**ready.inputs, use_cache=False, output_attentions=True).attentions
    image = np.flatnonzero(ready.segments == Segment.IMAGE)
    for layer in layers_allowed(vlm):
        with prune(vlm, 0.3, layer) as pruning:
            run(vlm, ready)
        paid = rows[layer - 1][0].mean(0)[-1].numpy()[image]
        np.testing.assert_allclose(pruning.scores[0], paid, atol=1e-6)
        stay = count(0.3, len(image))
        assert set(image[pruning.survivors[0].numpy()]) == set(image[np.argsort(-paid, kind="stable")[:stay]])


@pytest.mark.parametrize("share", [0.5, 0.1])
def test_what_is_said_is_what_is_said_when_later_layers_ignore_those_that_left(vlm, pictures, share):
    """Later layers' caches are shorter, and their windows reach as far back as with all tokens there."""
    ready = vlm.prepare(pictures[0], QUESTION)
    told = vlm.tokenizer("red circle left of the star")["input_ids"][-STEPS:]

    def hear(edits=()):
        recorder = vlm.recorder(ready, None, edits)
        with vlm.lock, torch.inference_mode(), vlm.listening():
            return generate(*vlm._spoken(ready), recorder, STEPS, given=told)[2]

    with prune(vlm, share, first(vlm)) as pruning:
        found = hear()
        assert pruning.length == ready.length - vlm.before + STEPS - 1
    gone = np.append(dropped(vlm, ready, pruning), [False] * STEPS)
    wanted = hear([Knockout(gone, "others", tuple(range(pruning.layer, len(vlm.layers))))])
    torch.testing.assert_close(found, wanted, atol=2e-5, rtol=1e-5)
    assert not torch.allclose(found, hear(), atol=1e-4)


@pytest.mark.parametrize("kind", ["llava", "qwen2_vl", "gemma3", "paligemma", "instructblip"], indirect=True)
def test_in_a_batch_every_item_loses_its_own(vlm, pictures):
    """Questions of different lengths, so that some are padded."""
    pairs = [(pictures[0], QUESTION), (pictures[0].rotate(180), "why?")]
    with prune(vlm, 0.4, first(vlm)) as pruning:
        together = vlm.probabilities(*zip(*pairs, strict=True))
        who = pruning.survivors
        for item, (picture, question) in enumerate(pairs):
            np.testing.assert_allclose(together[[item]], vlm.probabilities([picture], [question]), atol=1e-5)
            assert torch.equal(pruning.survivors[0], who[item])
    assert not torch.equal(who[0], who[1])


@pytest.mark.parametrize("kind", ["llava"], indirect=True)
def test_random_keeps_others_with_another_seed_and_the_same_with_the_same(vlm, pictures):
    ready = vlm.prepare(pictures[0], QUESTION)

    def kept(by, seed):
        with prune(vlm, 0.5, 1, by, seed) as pruning:
            run(vlm, ready)
        return pruning.survivors[0].tolist()

    for by, ranker in RANKERS.items():
        assert kept(by, 0) == kept(by, 0)
        assert (kept(by, 0) != kept(by, 1)) == ranker.chance


@pytest.mark.parametrize("kind", ["llava"], indirect=True)
def test_only_rankers_that_ask_hear_the_question(vlm, pictures):
    def scores(by, question):
        with prune(vlm, 0.5, 2, by) as pruning:
            run(vlm, vlm.prepare(pictures[0], question))
        return pruning.scores

    for by, ranker in RANKERS.items():
        alike = torch.allclose(scores(by, QUESTION), scores(by, "how many?"), atol=1e-6)
        assert alike != ranker.asks


@pytest.mark.parametrize("kind", ["llava", "gemma3"], indirect=True)
def test_two_threads_prune_one_model_and_a_third_does_not(vlm, pictures):
    ready = vlm.prepare(pictures[0], QUESTION)

    def ask(share):
        if share is None:
            return run(vlm, ready)
        with prune(vlm, share, 1):
            return run(vlm, ready)

    shares = (0.5, 0.1, None)
    wanted = [ask(share) for share in shares]
    barrier = threading.Barrier(3)

    def often(share):
        barrier.wait()
        return [ask(share) for _ in range(8)]

    with ThreadPoolExecutor(3) as pool:
        for expected, rounds in zip(wanted, pool.map(often, shares), strict=True):
            assert all(torch.equal(found, expected) for found in rounds)


@pytest.mark.parametrize("kind", ["llava"], indirect=True)
def test_after_an_error_nothing_is_left_behind(vlm, pictures, hooks):
    ready = vlm.prepare(pictures[0], QUESTION)
    before, there = run(vlm, ready), hooks(vlm)
    with pytest.raises(ZeroDivisionError), prune(vlm, 0.5, 1):
        raise ZeroDivisionError
    with pytest.raises(NotApplicable, match="not recorded"), prune(vlm, 0.5, 1):
        vlm.run(ready, Watch())
    assert hooks(vlm) == there
    assert torch.equal(run(vlm, ready), before)


@pytest.mark.parametrize("kind", ["llava"], indirect=True)
def test_what_cannot_be_done_is_said_in_a_sentence(vlm):
    for asked, said in (
        ((0.5, 0), "after layers 1 to 2 of its 3, not after layer 0"),
        ((0.5, 3), "not after layer 3"),
        ((1.5, 1), "choose one from 0 to 1"),
        ((0.5, 1, "wish"), "No ranking is called 'wish'"),
    ):
        with pytest.raises(NotApplicable, match=said), prune(vlm, *asked):
            pass


@pytest.mark.parametrize("kind", ["qwen3_vl"], indirect=True)
def test_while_more_of_the_picture_comes_in_no_token_leaves(vlm):
    assert vlm.whole_from == 1
    assert layers_allowed(vlm).start == 1
    vlm.whole_from = 2
    try:
        with pytest.raises(NotApplicable, match="after layers 2 to 2"), prune(vlm, 0.5, 1):
            pass
        vlm.whole_from = 3
        with pytest.raises(NotApplicable, match="none after which"):
            layers_allowed(vlm)
    finally:
        vlm.whole_from = 1


def test_how_many_stay():
    assert [count(share, 36) for share in (1, 0.75, 0.5, 0.25, 0.1, 0)] == [36, 27, 18, 9, 4, 0]
    assert [count(share, 1) for share in (1, 0.5, 0.01, 0)] == [1, 1, 1, 0]
    for tokens in (7, 10, 100, 576):
        for kept in range(tokens + 1):
            assert count(kept / tokens, tokens) == kept


@pytest.mark.parametrize("kind", STREAMS)
def test_a_picture_outside_the_sequence_is_refused_in_a_sentence(load, kind):
    with pytest.raises(NotApplicable, match="no image tokens in the sequence"), prune(load(kind), 0.5, 1):
        pass
