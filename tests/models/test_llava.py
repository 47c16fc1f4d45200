"""The Hugging Face path against transformers' own eager attention, which computes the same the plain way."""

import numpy as np
import pytest
import torch
from transformers import AutoModelForImageTextToText

from vlmlens.lab.weights import LabName
from vlmlens.models import as_image
from vlmlens.trace import Segment

QUESTIONS = ("what color is the circle?", "how many red objects are there?")


@pytest.fixture(scope="module", params=["lab:llava", "a folder"])
def pair(request, model, grouped_folder):
    """A model as vlmlens loads it, and the folder that it came from."""
    return model(request.param), LabName("llava").path if request.param == "lab:llava" else grouped_folder


def reload(folder, implementation):
    return AutoModelForImageTextToText.from_pretrained(folder, attn_implementation=implementation).eval()


def test_rows_are_those_of_eager_attention(pair, scenes):
    vlm, folder = pair
    eager = reload(folder, "eager")
    for scene in scenes[:3]:
        for question in QUESTIONS:
            trace = vlm.inspect(scene, question)
            ready = vlm.prepare(vlm.image(scene), question)
            with torch.inference_mode():
                weights = torch.stack(eager(**ready.inputs, output_attentions=True).attentions)[:, 0].numpy()
            asked = trace.segment_positions(Segment.QUESTION)
            assert trace.rows["last"].positions == (ready.length - 1,)
            assert trace.rows["question"].positions == tuple(asked)
            prompt = slice(None, ready.length)
            np.testing.assert_allclose(trace.attention("last")[..., prompt], weights[:, :, -1:], atol=1e-5)
            np.testing.assert_allclose(trace.attention("question")[..., prompt], weights[:, :, asked], atol=1e-5)


def test_what_it_says_is_what_plain_transformers_says(pair, scenes):
    vlm, folder = pair
    plain = reload(folder, "sdpa")
    for scene in scenes:
        for question in QUESTIONS:
            ready = vlm.prepare(vlm.image(scene), question)
            with torch.inference_mode():
                logits = plain(**ready.inputs).logits[:, -1]
                said = plain.generate(**ready.inputs, do_sample=False, max_new_tokens=32)
            torch.testing.assert_close(vlm.run(ready, None)[0], logits, atol=1e-5, rtol=1e-5)
            assert (
                vlm.generate(ready) == vlm.tokenizer.decode(said[0, ready.length :], skip_special_tokens=True).strip()
            )


def test_the_answer_is_the_first_word_of_what_it_says(llava, scenes):
    for scene in scenes:
        trace = llava.inspect(scene, QUESTIONS[0])
        assert trace.text.split()[0] == trace.answer


def test_a_row_looks_only_back(pair, scenes):
    vlm, _ = pair
    trace = vlm.inspect(scenes[0], QUESTIONS[0])
    for rows in ("last", "question"):
        visible = trace.visible(rows)
        for line, position in zip(visible, trace.rows[rows].positions, strict=True):
            np.testing.assert_array_equal(line, np.arange(trace.length) <= position)


def test_the_prompt_is_told_apart(llava, scenes):
    trace = llava.inspect(scenes[0], QUESTIONS[0])
    word = {segment: [trace.tokens[i] for i in trace.segment_positions(segment)] for segment in Segment}
    assert word[Segment.BOS] == ["<s>"]
    assert word[Segment.INSTRUCTION] == ["USER", ":", "ASSISTANT", ":"]
    assert word[Segment.IMAGE] == ["<image>"] * 36
    assert word[Segment.QUESTION] == ["what", "color", "is", "the", "circle", "?"]
    assert word[Segment.ANSWER] == [trace.answer]  # one word; the sign that ends it is none of the answer


def test_a_chat_template_is_followed(model, scenes):
    vlm = model("a folder")
    vlm.processor.chat_template, kept = "PLEASE " + vlm.processor.chat_template, vlm.processor.chat_template
    try:
        trace = vlm.inspect(scenes[0], QUESTIONS[0])
    finally:
        vlm.processor.chat_template = kept
    assert trace.tokens[1] == "<unk>"  # the word that only this template has
    assert trace.segments[1] == Segment.INSTRUCTION
    assert vlm.inspect(scenes[0], QUESTIONS[0]).length == trace.length - 1


def test_the_tower_sees_what_the_labs_own_eyes_see(llava, scenes):
    from vlmlens.lab.draw import render_batch
    from vlmlens.lab.weights import load_encoders

    eyes, _ = load_encoders()
    inputs = llava.processor.image_processor([as_image(scene) for scene in scenes], return_tensors="pt")
    with torch.inference_mode():
        ours = eyes(torch.from_numpy(render_batch(scenes)))
        theirs = llava.model.model.vision_tower(inputs["pixel_values"]).last_hidden_state[:, 1:]
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
