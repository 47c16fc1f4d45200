"""Reading many at once: pooling against a loop, neighbours that do not matter, and every pair as if asked alone."""

import numpy as np
import pytest
import torch

from vlmlens.errors import QuestionError
from vlmlens.models import VLM, as_image
from vlmlens.models.many import POOLINGS, pool
from vlmlens.trace import Segment

QUESTIONS = (
    "what color is the circle",
    "how many objects are there",
    "is the square left of the star",
    "is there a red star",
    "what size is the star",
)  # of different lengths


def read(vlm, pictures, questions, **options):
    return list(vlm.read(pictures, questions, **options))


def pairs(scenes, count=8):
    chosen = [(scenes[i % len(scenes)], QUESTIONS[i % len(QUESTIONS)]) for i in range(count)]
    return [scene for scene, _ in chosen], [question for _, question in chosen]


# Pooling


@pytest.mark.parametrize("how", POOLINGS)
def test_pooling_is_what_a_loop_makes_of_each_item(how):
    rng = torch.Generator().manual_seed(0)
    states = torch.randn(20, 9, 4, generator=rng)
    mask = torch.rand(20, 9, generator=rng) < 0.4
    mask[:, 5] |= ~mask.any(1)  # at least one an item
    naive = []
    for item, allowed in zip(states, mask, strict=True):
        kept = item[allowed]
        naive.append({"mean": kept.mean(0), "last": kept[-1], "cls": kept[0]}[how])
    torch.testing.assert_close(pool(states, mask, how), torch.stack(naive))
    spoiled = torch.where(mask[:, :, None], states, torch.tensor(1e4))  # what is masked away says nothing
    torch.testing.assert_close(pool(spoiled, mask, how), torch.stack(naive))


# Reading


def test_a_reading_does_not_depend_on_its_neighbours(any_model, scenes, monkeypatch):
    pictures, questions = pairs(scenes)
    monkeypatch.setattr(any_model, "items_at_once", 3)
    by_three = read(any_model, pictures, questions)
    assert [len(part) for part in by_three] == [3, 3, 2]
    monkeypatch.setattr(any_model, "items_at_once", 1)
    alone = read(any_model, pictures, questions)
    for name in ("image", "question"):
        together, single = (np.concatenate([getattr(p, name) for p in parts], axis=1) for parts in (by_three, alone))
        assert together.shape[:2] == (len(any_model.points), 8)
        np.testing.assert_allclose(together, single, atol=1e-4, rtol=1e-4)
    together, single = (np.concatenate([p.probabilities for p in parts]) for parts in (by_three, alone))
    np.testing.assert_allclose(together, single, atol=1e-5)


def test_a_reading_holds_the_probabilities_of_a_run(any_model, scenes):
    pictures, questions = pairs(scenes, 5)
    (part,) = read(any_model, pictures, questions)
    images = [any_model.batch([picture], questions[:1]) for picture in pictures]
    assert len(images) == len(part) == 5
    np.testing.assert_allclose(part.probabilities.sum(axis=1), 1, atol=1e-5)
    assert [any_model.answer_text(i) for i in part.answers] == any_model.answer_many(pictures, questions)
    if any_model.info.lab:  # another model gets a sharper drawing of a scene
        for row, picture, question in zip(part.probabilities, pictures, questions, strict=True):
            logits, _ = any_model.run(any_model.prepare(any_model.image(picture), question), None)
            np.testing.assert_allclose(row, logits[0].softmax(0), atol=1e-5)


@pytest.mark.parametrize("how", POOLINGS)
@pytest.mark.parametrize("name", ["lab:concat", "lab:txt2img", "lab:llava"])
def test_what_is_read_is_pooled_over_the_segments_own_states(model, scenes, name, how):
    vlm = model(name)
    picture, question = as_image(scenes[0]), QUESTIONS[2]
    (part,) = read(vlm, [picture], [question], pooling=how)
    image, _, last = vlm.token_states(picture, question)
    segments = vlm.prepare(picture, question).segments
    take = {"mean": lambda rows: rows.mean(axis=0), "last": lambda rows: rows[-1], "cls": lambda rows: rows[0]}[how]
    np.testing.assert_allclose(part.image[0, 0], take(image), atol=1e-5)
    np.testing.assert_allclose(part.image[-1, 0], take(last[segments == Segment.IMAGE]), atol=1e-5)
    np.testing.assert_allclose(part.question[-1, 0], take(last[segments == Segment.QUESTION]), atol=1e-5)


def test_an_unread_word_is_refused_in_a_batch_too(concat, scenes):
    with pytest.raises(QuestionError, match="zebra"):
        read(concat, scenes[:2], [QUESTIONS[0], "is there a zebra"])


# Crossing


def everything(parts):
    found, upto = [], 0
    for where, logits in parts:
        assert where.start == upto
        assert logits.shape[1] == where.stop - where.start
        found.append(logits)
        upto = where.stop
    return torch.cat(found, dim=1)


def test_crossing_is_asking_every_pair_alone(any_model, scenes):
    logits = everything(any_model.crossed(scenes[:3], QUESTIONS))
    assert logits.shape[:3] == (1, 3, len(QUESTIONS))
    assert logits.dtype == torch.float32
    twin = everything(VLM.crossed(any_model, scenes[:3], QUESTIONS))
    torch.testing.assert_close(logits, twin, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("at_once", [1, 2, 3, 7, 64])
def test_how_many_variants_pass_at_once_does_not_matter(llava, scenes, monkeypatch, at_once):
    twin = everything(VLM.crossed(llava, scenes[:4], QUESTIONS))
    monkeypatch.setattr(llava, "variants_at_once", at_once)
    for lens in (False, True):
        logits = everything(llava.crossed(scenes[:4], QUESTIONS, lens))
        torch.testing.assert_close(logits[-1:], twin, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    "questions",
    [
        QUESTIONS[:1],
        (QUESTIONS[0], QUESTIONS[0]),
        ("is there a star", "is there a red star", "is there a"),  # one the beginning of another
        ("how many objects are there", "what"),
    ],
)
@pytest.mark.parametrize("name", ["lab:concat", "lab:llava"])
def test_alike_and_single_questions_are_crossed_too(model, scenes, name, questions):
    vlm = model(name)
    logits = everything(vlm.crossed(scenes[:2], questions))
    twin = everything(VLM.crossed(vlm, scenes[:2], questions))
    torch.testing.assert_close(logits, twin, atol=1e-4, rtol=1e-4)


def test_a_question_before_its_picture_is_crossed_without_a_shared_prefix(model, scenes):
    vlm = model("a folder")
    kept = vlm.processor.chat_template
    vlm.processor.chat_template = (
        "{% for turn in messages %}USER : {% for part in turn['content'] | reverse %}"
        "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }} {% endif %}"
        "{% endfor %}{% endfor %} ASSISTANT:"
    )
    try:
        logits = everything(vlm.crossed(scenes[:3], QUESTIONS))
        twin = everything(VLM.crossed(vlm, scenes[:3], QUESTIONS))
    finally:
        vlm.processor.chat_template = kept
    torch.testing.assert_close(logits, twin, atol=1e-4, rtol=1e-4)


def test_the_lens_has_a_layer_more_for_each_but_the_last(any_model, scenes):
    plain = everything(any_model.crossed(scenes[:2], QUESTIONS))
    through = everything(any_model.crossed(scenes[:2], QUESTIONS, lens=True))
    assert len(through) == len(any_model.points) - 1
    torch.testing.assert_close(through[-1:], plain, atol=1e-4, rtol=1e-4)
    for earlier in through[:-1]:
        assert not torch.allclose(earlier, through[-1], atol=1e-2)


def test_the_lens_of_a_decoder_is_its_norm_and_head_on_the_states_between(llava, scenes):
    through = everything(llava.crossed(scenes[:2], QUESTIONS, lens=True))
    for i, scene in enumerate(scenes[:2]):
        for j, question in enumerate(QUESTIONS):
            inputs = llava.prepare(llava.image(scene), question).inputs
            with torch.inference_mode():
                states = llava.model(**inputs, output_hidden_states=True, use_cache=False).hidden_states
                for layer in range(len(through) - 1):
                    wanted = llava.head(llava.norm(states[layer + 1][0, -1]))
                    torch.testing.assert_close(through[layer, i, j], wanted, atol=1e-4, rtol=1e-4)


# Hiding and token states


def test_where_nothing_is_hidden_the_answer_is_the_plain_one(any_model, scenes):
    picture, question = as_image(scenes[0]), QUESTIONS[0]
    prepared = any_model.prepare(picture, question)
    logits, _ = any_model.run(prepared, None)
    best = int(logits[0].argmax())
    keys = np.zeros((3, prepared.length), bool)
    keys[2, prepared.segments == Segment.IMAGE] = True
    found = any_model.hidden_probability(prepared, best, keys)
    plain = float(logits.double().softmax(-1)[0, best])
    np.testing.assert_allclose(found[:2], plain, atol=1e-5)
    assert abs(found[2] - plain) > 1e-4
    cells = np.zeros((2, prepared.grid.cells), bool)
    cells[1] = True
    by_cell = any_model.answer_probability(picture, question, best, cells)
    np.testing.assert_allclose(by_cell, found[[0, 2]], atol=1e-5)


def test_hiding_in_batches_of_any_size_is_the_same(any_model, scenes, monkeypatch):
    picture, question = as_image(scenes[1]), QUESTIONS[2]
    prepared = any_model.prepare(picture, question)
    keys = np.random.default_rng(0).random((5, prepared.length)) < 0.3
    keys[:, -1] = False
    together = any_model.hidden_probability(prepared, 3, keys)
    monkeypatch.setattr(any_model, "variants_at_once", 2)
    np.testing.assert_allclose(any_model.hidden_probability(prepared, 3, keys), together, atol=1e-6)
    assert any_model.hidden_probability(prepared, 3, keys[:0]).shape == (0,)


def test_token_states_are_one_row_a_token(any_model, scenes):
    picture, question = as_image(scenes[0]), QUESTIONS[1]
    prepared = any_model.prepare(picture, question)
    image, text, last = any_model.token_states(picture, question)
    images = int((prepared.segments == Segment.IMAGE).sum())
    assert len(image) == images
    assert len(text) == prepared.length - images
    assert len(last) == prepared.length
    assert image.shape[1] == text.shape[1] == last.shape[1]
    other_image, other_text, _ = any_model.token_states(as_image(scenes[1]), question)
    np.testing.assert_allclose(text, other_text, atol=1e-6)  # before the first layer nothing has met
    assert np.abs(image - other_image).max() > 1e-3
    asked_image, asked_text, _ = any_model.token_states(picture, "what size is the circle")
    np.testing.assert_allclose(image, asked_image, atol=1e-6)
    assert asked_text.shape != text.shape or np.abs(asked_text - text).max() > 1e-3
