"""Neighbours in a batch and padding are nobody's business: each question gets what it would get alone."""

import numpy as np
import pytest
import torch

from vlmlens.lab.draw import render, render_batch
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.text import encode

QUESTIONS = (
    "what color is the circle?",
    "how many objects are there?",
    "is the square left of the star?",
    "is there a red star?",
)  # of different lengths


def alone(model, scene, question):
    return model.run(model.prepare(model.image(scene), question), None)[0][0]


@pytest.mark.parametrize("name", WIRINGS)
def test_words_padded_on_the_right_change_nothing(name, model, scenes):
    vlm = model(f"lab:{name}")
    ids = encode(list(QUESTIONS))
    assert (ids == 0).any()
    with torch.inference_mode():
        together = vlm.model(torch.from_numpy(render_batch(scenes[: len(QUESTIONS)])), ids)
    for logits, scene, question in zip(together, scenes, QUESTIONS, strict=False):
        torch.testing.assert_close(logits, alone(vlm, scene, question), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_of_a_decoder_changes_nothing(side, llava, scenes):
    texts = [llava._prompt(question) for question in QUESTIONS]
    images = [render(scene) for scene in scenes[: len(QUESTIONS)]]
    inputs = llava.processor(images=images, text=texts, return_tensors="pt", padding=True, padding_side=side)
    assert (inputs["attention_mask"] == 0).any()
    with torch.inference_mode():
        every = llava.model(**inputs, use_cache=False).logits
    last = inputs["attention_mask"].cumsum(-1).argmax(-1)  # the last token that is no padding
    for logits, at, scene, question in zip(every, last, scenes, QUESTIONS, strict=False):
        torch.testing.assert_close(logits[at], alone(llava, scene, question), atol=1e-5, rtol=1e-5)


def test_many_at_once_get_the_answers_of_one_at_a_time(any_model, scenes):
    pairs = [(scene, question) for scene in scenes[:5] for question in QUESTIONS]
    pictures, questions = [scene for scene, _ in pairs], [question for _, question in pairs]
    together = any_model.answer_many(pictures, questions)
    if not any_model.info.lab:  # a model that was not made for 48 pixels gets a sharper drawing of the scene
        return
    single = [any_model.inspect(scene, question).answer for scene, question in pairs]
    assert together == single
    order = np.random.default_rng(0).permutation(len(pairs))
    shuffled = any_model.answer_many([pictures[i] for i in order], [questions[i] for i in order])
    assert shuffled == [together[i] for i in order]
