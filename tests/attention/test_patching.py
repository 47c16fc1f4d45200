"""Activation patching against states pasted by hand, and on pairs whose difference lies where we put it."""

import json
import runpy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import vlmlens
from vlmlens.attention import patch
from vlmlens.attention.patching import EVERYTHING, LAST, entering_states
from vlmlens.errors import NotApplicable
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.progress import Cancelled, Progress
from vlmlens.trace import Replace, Segment

build = runpy.run_path(str(Path(__file__).parents[1] / "models" / "tiny.py"))["build"]
QUESTION = "what color is the circle?"
RED = Scene((Thing(4, "red", "circle", "large"), Thing(0, "blue", "square", "small")))
GREEN = RED.edit(4, color="green")
KINDS = ("qwen3_vl", "gemma3", "mllama", "florence2", "blip", "vilt", "instructblip")


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """A tiny model of a family."""

    @cache
    def of(kind):
        folder = tmp_path_factory.mktemp(kind)
        build(kind, folder)
        return vlmlens.load(str(folder))

    return of


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    return [Image.fromarray(rng.integers(0, 256, (60, 60, 3), dtype=np.uint8)) for _ in range(2)]


def odds(logits, one, other):
    return float(logits[one] - logits[other])


def by_hand_in_a_wiring(vlm, clean, changed, layer, positions):
    """Logits of lab:concat's changed run with the clean run's states pasted in; no recorder hears any of it."""
    fusion, readout = vlm.model.fusion, vlm.model.readout

    def through(start, both, mask, until):
        for (link,) in fusion.links()[start:until]:
            both = link(both, both, mask)
        return both

    def begin(prepared):
        image, text = fusion.enter_image(prepared.inputs["image"]), fusion.enter_question(prepared.inputs["text"])
        return torch.cat([image, text], dim=1)

    with torch.inference_mode():
        mask = torch.ones(1, changed.length, dtype=torch.bool)
        theirs, own = (through(0, begin(prepared), mask, layer) for prepared in (clean, changed))
        own = own.clone()
        own[:, positions] = theirs[:, positions]
        return readout(through(layer, own, mask, None), mask)[0].double()


def by_hand_in_a_decoder(vlm, clean, changed, layer, positions):
    """The same for a decoder, with torch's own hooks on its layers."""
    kept = {}

    def keep(_module, args, kwargs):
        kept["states"] = args[0] if args else kwargs["hidden_states"]

    def paste(_module, args, kwargs):
        states = (args[0] if args else kwargs["hidden_states"]).clone()
        states[:, positions] = kept["states"][:, positions]
        return ((states, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": states})

    for prepared, hook in ((clean, keep), (changed, paste)):
        handle = vlm.layers[layer].register_forward_pre_hook(hook, with_kwargs=True)
        try:
            with torch.inference_mode():
                logits = vlm.model(**prepared.inputs, use_cache=False).logits[0, -1]
        finally:
            handle.remove()
    return logits.double()


@pytest.mark.parametrize(
    ("name", "by_hand"), [("lab:concat", by_hand_in_a_wiring), ("lab:llava", by_hand_in_a_decoder)]
)
@pytest.mark.parametrize("direction", ["restore", "break"])
def test_a_patch_is_states_pasted_by_hand(model, name, by_hand, direction):
    vlm = model(name)
    clean, changed = (vlm.prepare(vlm.image(scene), QUESTION) for scene in (RED, GREEN))
    found = patch(vlm, (RED, QUESTION), (GREEN, QUESTION), direction=direction)
    with vlm.lock:
        answers = [int(vlm.run(prepared, None)[0].argmax()) for prepared in (clean, changed)]
    assert found.answers == ("red", "green")
    order = (clean, changed) if direction == "restore" else (changed, clean)
    places = {
        "image": np.flatnonzero(clean.segments == Segment.IMAGE),
        "question": np.flatnonzero(clean.segments == Segment.QUESTION),
        EVERYTHING: np.arange(clean.length),
    } | ({LAST: np.array([clean.length - 1])} if name == "lab:llava" else {})
    for line, layer in enumerate(found.layers):
        for group, positions in places.items():
            logits = by_hand(vlm, *order, layer, positions)
            assert found.odds[line, found.groups.index(group)] == pytest.approx(odds(logits, *answers), abs=1e-4)


def test_the_fraction_goes_from_the_run_that_is_patched_to_the_other(concat):
    there = patch(concat, (RED, QUESTION), (GREEN, QUESTION))
    back = patch(concat, (RED, QUESTION), (GREEN, QUESTION), direction="break")
    for found, start, end in (
        (there, there.changed_odds, there.clean_odds),
        (back, back.clean_odds, back.changed_odds),
    ):
        np.testing.assert_allclose(found.restored, (found.odds - start) / (end - start), atol=1e-12)
        np.testing.assert_allclose(found.of(EVERYTHING), 1, atol=1e-5)
    assert there.clean_odds == pytest.approx(back.clean_odds, abs=1e-4)
    assert not np.allclose(there.restored, back.restored, atol=0.02)  # sufficing is not needing


def test_all_of_the_picture_before_the_first_layer_restores_wholly(knows):
    """Scenes differ in one colour: before the first layer that is in the picture's states alone."""
    found = patch(knows, (RED, QUESTION), (GREEN, QUESTION))
    assert found.answers == ("red", "green"), knows.name
    assert found.of("image")[0] == pytest.approx(1, abs=1e-5)
    assert found.of("question")[0] == pytest.approx(0, abs=1e-5)
    assert "restore “red” the most" in found.sentence()


def test_a_changed_word_lies_in_the_question_first(llava):
    """As many tokens, another shape: patching the one word that differs is patching the question."""
    other = QUESTION.replace("circle", "square")
    found = patch(llava, (RED, QUESTION), (RED, other), by="position")
    clean = llava.prepare(llava.image(RED), QUESTION)
    (word,) = [i for i, token in enumerate(clean.tokens) if token == "circle"]
    np.testing.assert_allclose(found.restored[0], np.arange(clean.length) == word, atol=1e-5)
    whole = patch(llava, (RED, QUESTION), (RED, other))
    assert whole.of("question")[0] == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(whole.of("image"), 0, atol=1e-5)  # which stands before what differs
    assert whole.of(LAST)[-1] == pytest.approx(found.restored[-1, -1], abs=1e-5)


def test_cells_hold_the_colour_where_the_thing_stands(llava):
    """The circle stands on the middle of the board: on cells 2 and 3 of the six each way."""
    found = patch(llava, (RED, QUESTION), (GREEN, QUESTION), by="cell")
    assert found.shape == (6, 6)
    first = np.abs(found.restored[0]).reshape(found.shape)
    assert first[2:4, 2:4].sum() > 0.6 * first.sum()
    assert first[2:4, 2:4].max() == first.max()


@pytest.mark.parametrize("kind", KINDS)
def test_every_state_restores_and_none_changes_anything(load, pictures, kind):
    vlm = load(kind)
    one, other = ((picture, QUESTION) for picture in pictures)
    found = patch(vlm, one, other)
    assert found.layers[0] >= vlm.whole_from
    np.testing.assert_allclose(found.odds[:, found.groups.index(EVERYTHING)], found.clean_odds, atol=1e-4)
    itself = patch(vlm, other, other)
    np.testing.assert_allclose(itself.odds, itself.changed_odds, atol=1e-4)
    assert not itself.conclusive
    assert itself.alike
    ready = vlm.prepare(pictures[1], QUESTION)
    with vlm.lock:
        plain = vlm.run(ready, None)[0]
        assert torch.equal(plain, vlm.run(ready, None, [Replace(found.layers[0], (), np.zeros((0, 1)))])[0])


def test_bit_for_bit_in_a_pass_of_its_own(model):
    """What is not exact above is the size of a batch."""
    for name in ("lab:concat", "lab:llava"):
        vlm = model(name)
        clean, changed = (vlm.prepare(vlm.image(scene), QUESTION) for scene in (RED, GREEN))
        states, entering = entering_states(vlm, clean)
        with vlm.lock:
            plain = vlm.run(clean, None)[0]
            for layer, kept in states.items():
                assert torch.equal(plain, vlm.run(changed, None, [Replace(layer, tuple(entering), kept)])[0])


def test_questions_of_different_length_share_the_picture_only(llava, concat):
    longer = "is the circle left of the square?"
    for vlm in (llava, concat):
        found = patch(vlm, (RED, QUESTION), (GREEN, longer))
        assert found.groups == ("image",)
        count = int((vlm.prepare(vlm.image(RED), QUESTION).segments == Segment.IMAGE).sum())
        assert len(patch(vlm, (RED, QUESTION), (GREEN, longer), by="position").groups) == count


def test_one_answer_is_followed_against_all_others(concat):
    moved = RED.edit(0, color="purple")
    found = patch(concat, (RED, QUESTION), (moved, QUESTION))
    assert found.alike
    p = found.clean_probabilities[0]
    assert found.clean_odds == pytest.approx(np.log(p) - np.log1p(-p), rel=1e-3)
    assert found.sentence().startswith(("Both runs answer “red”", "Inconclusive"))


def test_runs_that_do_not_differ_are_inconclusive(concat):
    found = patch(concat, (RED, QUESTION), (RED, QUESTION))
    assert np.isnan(found.restored).all()
    assert found.sentence().startswith("Inconclusive")
    assert found.to_dict()["restored"] is None


def test_what_cannot_be_patched_is_refused_in_words(load, pictures):
    qwen = load("qwen3_vl")
    with pytest.raises(NotApplicable, match="do not stand for the same; give both pictures one size"):
        patch(qwen, (pictures[0], QUESTION), (pictures[1].resize((240, 60)), QUESTION))
    with pytest.raises(NotApplicable, match="enter no layer"):
        patch(load("instructblip"), (pictures[0], QUESTION), (pictures[1], QUESTION), by="cell")


def test_it_can_be_cancelled_and_written_down(concat):
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        patch(concat, (RED, QUESTION), (GREEN, QUESTION), progress=progress)
    found = patch(concat, (RED, QUESTION), (GREEN, QUESTION))
    table = found.to_frame()
    assert len(table) == found.odds.size
    np.testing.assert_array_equal(table["restored"], found.restored.ravel())
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["answers"] == ["red", "green"]


def test_a_blind_model_has_nothing_to_restore(model):
    found = patch(model("planted:blind"), (RED, QUESTION), (GREEN, QUESTION))
    assert not found.conclusive
    assert found.alike
