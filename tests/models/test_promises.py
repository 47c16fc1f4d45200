"""What every row of the table promises, wherever its picture goes in: tiny untrained models of the real classes.

A row is tested by existing: it needs a builder in `tiny.py`. What only rows of one kind can promise is tested in
`test_families.py`, `test_streams.py` and `test_qformer.py`.
"""

import itertools
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from vlmlens.errors import QuestionError
from vlmlens.lab.sample import crossed
from vlmlens.models import VLM, fit
from vlmlens.models.base import SCENE_SIDE
from vlmlens.models.facts import look_up
from vlmlens.models.families import RESAMPLED, ROWS, STREAMS
from vlmlens.trace import Knockout, Replace, Segment, Watch

QUESTIONS = (
    "what color is the circle?",
    "why?",
    "please look at this picture and describe it in one sentence: is the square left of the star, yes or no?",
)  # the last is longer than the second by more than a sliding window
OTHERS = [*STREAMS, *RESAMPLED]  # whose picture is no run of tokens in the decoder's sequence
ROUNDS = 10  # of each of two threads


@pytest.fixture(params=ROWS)
def kind(request):
    return request.param


def layered(vlm, ready):
    """The segments of the positions that pass through the layers."""
    return ready.segments[getattr(vlm, "before", 0) : ready.length - len(getattr(vlm, "begin", ()))]


def test_watching_changes_no_bit_and_the_picture_changes_the_answer(vlm, pictures):
    seen = []
    for picture in pictures:
        ready = vlm.prepare(picture, QUESTIONS[0])
        unwatched, _ = vlm.run(ready, None)
        assert torch.equal(unwatched, vlm.run(ready, Watch())[0])
        seen.append(unwatched)
    assert min((a - b).abs().max() for a, b in itertools.pairwise(seen)) > 1e-2


def test_a_pass_that_breaks_leaves_nothing_behind(vlm, pictures, hooks):
    before, there = vlm.inspect(pictures[0], QUESTIONS[0]), hooks(vlm)
    every = tuple(range(vlm.prepare(pictures[0], QUESTIONS[0]).length))
    broken = Replace(1, every, np.zeros((2, 5)))  # states of the wrong shape
    with pytest.raises((RuntimeError, IndexError)):
        vlm.inspect(pictures[0], QUESTIONS[0], edits=[broken])
    assert hooks(vlm) == there
    assert vlm.inspect(pictures[0], QUESTIONS[0]).answers == before.answers


def test_two_threads_with_different_watches_never_mix(vlm, pictures):
    """Nor with different pictures and questions; one of the two also hides some cells and blanks some words."""
    first, second = (vlm.prepare(*pair) for pair in zip(pictures[:2], QUESTIONS[:2], strict=True))
    hidden = np.zeros(second.length, bool)
    hidden[second.grid.positions[::2]] = True
    edits = (Knockout(hidden), Replace.zero(1, np.flatnonzero(second.segments == Segment.QUESTION)[:1]))
    jobs = [(first, Watch(), ()), (second, Watch(rows=("last",), contributions=False), edits)]

    def ask(job):
        with vlm.lock:
            logits, recorder = vlm.run(*job)
        return {"logits": logits, **{name: kept.attention for name, kept in recorder.kept.items()}}

    wanted = [ask(job) for job in jobs]
    barrier = threading.Barrier(2)

    def often(job):
        barrier.wait()
        return [ask(job) for _ in range(ROUNDS)]

    with ThreadPoolExecutor(2) as pool:
        for expected, rounds in zip(wanted, pool.map(often, jobs), strict=True):
            for found in rounds:
                assert found.keys() == expected.keys()
                assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_with_everything_hidden_no_number_is_lost(vlm, pictures):
    ready = vlm.prepare(pictures[0], QUESTIONS[0])
    logits, recorder = vlm.run(ready, Watch(), [Knockout(np.ones(ready.length, bool), "all")])
    assert torch.isfinite(logits).all()
    for kept in recorder.kept.values():
        assert not kept.attention.any()
        assert kept.update is None or not kept.update.any()


@pytest.mark.parametrize("kind", OTHERS)  # elsewhere places in the sequence tell of a picture's shape
@pytest.mark.parametrize("edit", [Knockout, lambda image: Replace.zero(0, np.flatnonzero(image))], ids=["hide", "zero"])
def test_without_the_picture_every_picture_is_the_same(vlm, pictures, edit):
    """Bit by bit, where they are as many tokens: edits of states stay for all later layers."""
    blind = set()
    for picture in pictures:
        ready = vlm.prepare(picture, QUESTIONS[0])
        found, _ = vlm.run(ready, None, [edit(ready.segments == Segment.IMAGE)])
        blind.add((ready.length, found.numpy().tobytes()))
    assert len(blind) == len({length for length, _ in blind})


def test_no_sign_of_the_prompt_can_be_smuggled_into_a_question(vlm, pictures):
    """Of a video, say, or of the end of the turn."""
    for token in vlm.tokenizer.all_special_tokens:
        with pytest.raises(QuestionError, match=re.escape(token)):
            vlm.prepare(pictures[0], f"what is {token} here?")


def test_neighbours_in_a_batch_are_nobodys_business(vlm, pictures):
    """Pictures and questions of different lengths, padded to one."""
    pairs = list(itertools.product(pictures, QUESTIONS))
    with torch.inference_mode(), vlm.listening():
        together = vlm.batch_logits(vlm.batch(*zip(*pairs, strict=True)))
    probabilities = vlm.probabilities(*zip(*pairs, strict=True))
    (part,) = vlm.read(*zip(*pairs, strict=True))
    assert len(part.points) == len(part.image) == len(part.question)
    for index, (picture, question) in enumerate(pairs):
        alone, _ = vlm.run(vlm.prepare(picture, question), None)
        torch.testing.assert_close(together[[index]], alone, atol=1e-4, rtol=1e-4)
        for found in (probabilities, part.probabilities):
            np.testing.assert_allclose(found[index], alone.softmax(-1)[0], atol=1e-5)
        (single,) = vlm.read([picture], [question])
        np.testing.assert_allclose(part.image[:, index], single.image[:, 0], atol=1e-3)
        np.testing.assert_allclose(part.question[:, index], single.question[:, 0], atol=1e-3)


def test_crossing_is_asking_every_pair_alone(vlm, pictures):
    logits = torch.cat([found[-1] for _, found in vlm.crossed(pictures, QUESTIONS)])
    twin = torch.cat([found[-1] for _, found in VLM.crossed(vlm, pictures, QUESTIONS)])
    torch.testing.assert_close(logits, twin, atol=1e-4, rtol=1e-4)


def test_states_of_tokens_are_told_apart(vlm, pictures):
    segments = layered(vlm, vlm.prepare(pictures[0], QUESTIONS[0]))
    image, text, last = vlm.token_states(pictures[0], QUESTIONS[0])
    assert len(image) == (segments == Segment.IMAGE).sum()
    assert len(image) + len(text) == len(last) == len(segments)
    assert image.shape[1] == text.shape[1]


@pytest.mark.parametrize("kind", OTHERS)  # of the rest in test_fit.py
def test_what_it_needs_is_known_before_it_is_loaded(kind, vlm, folders):
    facts = look_up(str(folders(kind)), (60, 60))
    segments = layered(vlm, vlm.prepare(Image.new("RGB", (60, 60)), fit.QUESTION))
    if not getattr(vlm.processor, "chat_template", None):  # which writes more words than are counted on
        assert facts.size.tokens == len(segments)
    assert facts.size.tokens >= (segments == Segment.IMAGE).sum()
    assert facts.family.name == ROWS[kind].name
    assert facts.count.total == vlm.info.parameters
    assert facts.fit(torch.device("cpu"), "float32").need.total > 4 * vlm.info.parameters


def test_a_scene_is_the_same_picture_asked_alone_or_among_many(vlm):
    """Large enough for a model that is not the lab's, wherever it goes in."""
    scene = crossed(seed=7, scenes=1)[0][0]
    alone = vlm.inspect(scene, QUESTIONS[0], new_tokens=0)
    together = vlm.probabilities([scene], QUESTIONS[:1])[0, alone.answers[0].candidate]
    assert alone.answers[0].probability == pytest.approx(together, rel=1e-4)
    assert alone.grid.size == vlm.image(scene).size == (SCENE_SIDE, SCENE_SIDE)
