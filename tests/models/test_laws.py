"""What every model promises: watching changes nothing, rows sum to one, every token is somebody, hiding truly hides."""

import numpy as np
import torch

from vlmlens.lab.scenes import Scene
from vlmlens.trace import Knockout, Replace, Segment, Watch

QUESTIONS = ("what color is the circle?", "how many objects are there?", "is the square left of the star?")


def prepared(model, picture, question=QUESTIONS[0]):
    return model.prepare(model.image(picture), question)


def logits(model, picture, question=QUESTIONS[0], edits=()):
    return model.run(prepared(model, picture, question), None, edits)[0]


def test_watching_changes_no_bit_of_the_logits(any_model, scenes):
    for question in QUESTIONS:
        ready = prepared(any_model, scenes[0], question)
        plain, _ = any_model.run(ready, None)
        for watch in (Watch(), Watch(rows=("last",), contributions=False), Watch(rows=())):
            watched, _ = any_model.run(ready, watch)
            assert torch.equal(plain, watched)


def test_the_trace_says_what_the_logits_say(any_model, scenes):
    for question in QUESTIONS:
        trace = any_model.inspect(scenes[1], question)
        chances = logits(any_model, scenes[1], question).double().softmax(-1)[0]
        assert trace.answers[0].candidate == int(chances.argmax())
        np.testing.assert_allclose(trace.answers[0].probability, float(chances.max()), atol=1e-7)
        given = [answer.probability for answer in trace.answers]
        assert given == sorted(given, reverse=True)


def test_every_kept_row_sums_to_one_over_what_it_may_look_at(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTIONS[0])
    for record in trace.rows.values():
        for attention, visible in zip(record.attention, record.visible, strict=True):
            expected = np.broadcast_to(visible.any(axis=-1).astype(float), attention.shape[:2])
            np.testing.assert_allclose(attention.sum(axis=-1), expected, atol=2e-6)
            assert not attention[:, ~visible].any()
            assert (attention >= 0).all()
    assert all(
        visible.any() for visible in trace.rows["last"].visible
    )  # the answer's row looks at something everywhere


def test_there_is_one_cell_for_every_image_token(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTIONS[0])
    np.testing.assert_array_equal(trace.grid.positions, trace.segment_positions(Segment.IMAGE))
    assert trace.grid.cells == np.prod(trace.grid.shape) > 1
    assert trace.grid.covers_all()


def test_every_position_belongs_to_one_segment(any_model, scenes):
    for question in QUESTIONS:
        trace = any_model.inspect(scenes[0], question)
        assert trace.segments.shape == (trace.length,) == (len(trace.tokens),)
        assert set(trace.segments.tolist()) <= set(Segment)
        asked = [trace.tokens[i] for i in trace.segment_positions(Segment.QUESTION)]
        assert [word for word in asked if word != "?"] == question.rstrip("?").split()
        assert sum(len(trace.segment_positions(segment)) for segment in Segment) == trace.length


def test_without_its_image_tokens_the_answer_knows_nothing_of_the_picture(any_model, scenes):
    """Bit by bit: what is hidden leaves no trace at all in the answer."""
    for edit_of in (lambda image: Knockout(image), lambda image: Replace.zero(0, np.flatnonzero(image))):
        seen, blind = set(), set()
        for scene in scenes:
            image = prepared(any_model, scene).segments == Segment.IMAGE
            seen.add(logits(any_model, scene).numpy().tobytes())
            blind.add(logits(any_model, scene, edits=[edit_of(image)]).numpy().tobytes())
        assert len(seen) == len(scenes)
        assert len(blind) == 1


def test_without_its_question_tokens_the_answer_knows_nothing_of_which_words_stood_there(any_model, scenes):
    words = "what color is the circle?", "what shape is the circle?", "what size is the square?"  # as many in each
    seen, blind = set(), set()
    for question in words:
        asked = prepared(any_model, scenes[0], question).segments == Segment.QUESTION
        seen.add(logits(any_model, scenes[0], question).numpy().tobytes())
        blind.add(logits(any_model, scenes[0], question, [Knockout(asked, "all")]).numpy().tobytes())
    assert len(seen) == 3
    if any_model.info.family == "lab" and any_model.wiring.reads == "question":
        return  # with nothing left to read from, what remains is the question stream itself
    assert len(blind) == 1


def test_hiding_some_cells_in_a_batch_equals_hiding_them_alone(any_model, scenes):
    rng = np.random.default_rng(0)
    cells = prepared(any_model, scenes[0]).grid.cells
    hidden = rng.random((5, cells)) < 0.3
    hidden[0] = False
    candidate = any_model.inspect(scenes[0], QUESTIONS[0]).answers[0].candidate
    together = any_model.answer_probability(scenes[0], QUESTIONS[0], candidate, hidden)
    for one, of_one in zip(together, hidden, strict=True):
        alone = any_model.answer_probability(scenes[0], QUESTIONS[0], candidate, of_one[None])
        np.testing.assert_allclose(alone, one, atol=1e-5)
    plain = logits(any_model, scenes[0]).double().softmax(-1)[0, candidate]
    np.testing.assert_allclose(together[0], float(plain), atol=1e-5)


def test_an_empty_board_is_a_picture_too(any_model):
    trace = any_model.inspect(Scene(), "how many objects are there?")
    assert trace.answer
    assert 0 < trace.answers[0].probability <= 1


def test_any_choice_of_rows_may_be_watched(any_model, scenes):
    """Also none, and also rows that this model does not have."""
    whole = any_model.inspect(scenes[0], QUESTIONS[0])
    for rows in ((), ("last",), ("question",), ("answer",), ("question", "last")):
        trace = any_model.inspect(scenes[0], QUESTIONS[0], watch=Watch(rows=rows, contributions=False))
        assert set(trace.rows) == set(rows) & set(whole.rows)
        assert trace.answers == whole.answers
        for name, record in trace.rows.items():
            assert not record.parts
            for ours, theirs in zip(record.attention, whole.rows[name].attention, strict=True):
                np.testing.assert_allclose(ours, theirs, atol=1e-6)  # a product of fewer rows rounds differently
