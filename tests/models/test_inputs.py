"""What can be asked and shown: the same pixels are the same picture, and a question that cannot be read is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from vlmlens.errors import PictureError, QuestionError
from vlmlens.picture import encode_png

QUESTION = "what color is the circle?"


def refused(model, picture, question) -> str:
    with pytest.raises(QuestionError) as caught:
        model.inspect(picture, question)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("question", ["", " \n\t ", "x" * 5000], ids=["empty", "blank", "5000 characters"])
def test_a_question_that_is_none_is_refused(question, any_model, scenes):
    assert ("empty" if not question.strip() else "5000") in refused(any_model, scenes[0], question)


@pytest.mark.parametrize("question", ["?!…", "what colour is the elephant?", "is " * 20, "¿de qué color?", "<image>"])
def test_a_lab_model_refuses_what_it_has_no_words_for(question, any_model, scenes):
    if any_model.info.lab:
        refused(any_model, scenes[0], question)


def test_unknown_words_are_named(concat, llava, scenes):
    for model in (concat, llava):
        assert "“elephant”" in refused(model, scenes[0], "what color is the elephant?")


def test_the_marker_of_the_picture_cannot_be_smuggled_in(any_model, scenes):
    refused(any_model, scenes[0], "what is <image> doing here <image>?")


def test_half_characters_are_refused(any_model, scenes):
    """A terminal hands them over where it meets bytes that are no text."""
    refused(any_model, scenes[0], "what color is the circle\udcff?")


def test_spelling_does_not_matter_to_a_lab_model(any_model, scenes):
    if any_model.info.lab:
        plain = any_model.inspect(scenes[0], QUESTION)
        for spelling in ("What COLOUR is the circle", "what color is the disc ?!", "  what  color is the circle."):
            assert any_model.inspect(scenes[0], spelling).answers == plain.answers


@pytest.mark.parametrize("word", ["ASSISTANT", "USER", "image", "?", ":"])
def test_the_question_is_found_where_it_stands(word, model, scenes):
    """Also where the same letters stand elsewhere in the prompt."""
    from vlmlens.trace import Segment

    vlm = model("a folder")
    trace = vlm.inspect(scenes[0], word)
    asked = trace.segment_positions(Segment.QUESTION)
    assert len(asked) == 1
    assert asked[0] == trace.segment_positions(Segment.IMAGE)[-1] + 1


def test_the_same_pixels_give_the_same_answer_whatever_they_come_in(any_model, scenes, tmp_path):
    scene = scenes[0]
    image = any_model.image(scene)
    (tmp_path / "a.png").write_bytes(encode_png(image))
    bitmap = io.BytesIO()
    image.save(bitmap, "BMP")
    expected = any_model.inspect(scene, QUESTION)
    for picture in (
        image,
        np.asarray(image),
        encode_png(image),
        bitmap.getvalue(),
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        image.convert("RGBA"),
    ):
        trace = any_model.inspect(picture, QUESTION)
        assert trace.answers == expected.answers
        assert trace.picture_hash == expected.picture_hash


def test_any_shape_of_picture_can_be_asked_about(any_model):
    rng = np.random.default_rng(0)
    for height, width in ((1, 1), (7, 300), (300, 7), (48, 48), (640, 480)):
        picture = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
        trace = any_model.inspect(picture, QUESTION)
        assert trace.grid.size == (width, height)
        assert (trace.grid.boxes >= -1e-3).all()
        assert (trace.grid.boxes <= [width + 1e-3, height + 1e-3] * 2).all()


def test_grey_is_a_colour(any_model):
    grey = np.linspace(0, 255, 48 * 48).astype(np.uint8).reshape(48, 48)
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    assert any_model.inspect(grey, QUESTION).answers == any_model.inspect(colour, QUESTION).answers


def test_what_is_no_picture_is_refused(any_model, tmp_path):
    for picture in (b"", b"no picture", tmp_path, tmp_path / "missing.png", np.zeros((3, 3)), Image.new("RGB", (0, 3))):
        with pytest.raises(PictureError):
            any_model.inspect(picture, QUESTION)
