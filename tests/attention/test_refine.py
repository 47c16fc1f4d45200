"""Refinement by the contrastive map: passes written by hand, boxes found by trying all, planted counts."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats
from transformers import AutoModelForImageTextToText

from vlmlens.attention import (
    FORMS,
    Change,
    RefineStudy,
    contrast,
    crop_again,
    hot_box,
    mcnemar,
    measured,
    refine_many,
    refining,
    suppress,
)
from vlmlens.attention.refine import SHARE, lowest, random_box
from vlmlens.errors import NotApplicable
from vlmlens.lab.sample import take
from vlmlens.lab.weights import LabName
from vlmlens.models import as_image
from vlmlens.progress import Cancelled, Progress
from vlmlens.trace import Grid, Segment

QUESTION = "what color is the circle?"
WIRED = ("lab:img2txt", "lab:txt2img", "lab:concat", "lab:bidirectional")


def seen(vlm, scene, **layers):
    trace = vlm.inspect(scene, QUESTION)
    return trace, contrast(trace, **layers)


@pytest.fixture(params=["lab:llava", "a folder"])
def decoder(request, model, grouped_folder):
    """A decoder, and transformers' own eager model from the same folder."""
    folder = LabName("llava").path if request.param == "lab:llava" else grouped_folder
    return model(request.param), AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager").eval()


@pytest.mark.parametrize(("rho", "factor"), [(0.3, 0.0), (0.5, 0.4), (1.0, 0.7)])
@pytest.mark.parametrize("late", [0, 1])
def test_suppression_is_a_pass_with_a_hook_by_hand(decoder, scenes, late, rho, factor):
    vlm, plain = decoder
    trace, found = seen(vlm, scenes[0], early=1 - late, late=late)
    order = sorted(range(trace.grid.cells), key=lambda cell: (found.values[cell], cell))
    first = int(np.flatnonzero(trace.segments == Segment.IMAGE)[0])
    scaled = [first + cell for cell in order[: round(rho * 36)]]

    def scale(_module, args, kwargs):
        states = (args[0] if args else kwargs["hidden_states"]).clone()
        states[:, scaled] *= factor
        return ((states, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": states})

    inputs = vlm.prepare(vlm.image(scenes[0]), QUESTION).inputs
    with torch.inference_mode():
        before = plain(**inputs).logits[0, -1].double().softmax(-1)
        handle = plain.model.language_model.layers[late].register_forward_pre_hook(scale, with_kwargs=True)
        after = plain(**inputs).logits[0, -1].double().softmax(-1)
        handle.remove()
    refined = suppress(vlm, scenes[0], QUESTION, trace, found, rho, factor)
    np.testing.assert_allclose(refined.probabilities, torch.stack([before, after]), atol=1e-5)
    assert refined.cells == tuple(sorted(order[: round(rho * 36)]))
    assert refined.before[0].candidate == int(before.argmax())
    assert refined.after[0].candidate == int(after.argmax())


@pytest.mark.parametrize("late", [1, 3, 4])
def test_suppression_in_a_wiring_is_its_layers_by_hand(concat, scenes, late):
    trace, found = seen(concat, scenes[0], early=0, late=late)
    refined = suppress(concat, scenes[0], QUESTION, trace, found, 0.5, 0.1)
    inputs = concat.prepare(concat.image(scenes[0]), QUESTION).inputs
    fusion = concat.model.fusion
    with torch.inference_mode():
        states = torch.cat([fusion.enter_image(inputs["image"]), fusion.enter_question(inputs["text"])], dim=1)
        every = torch.ones(states.shape[:2], dtype=torch.bool)
        for number, (link,) in enumerate(fusion.links()):
            if number == late:
                states[:, list(refined.cells)] *= 0.1
            states = link(states, states, every)
        if late == 4:
            states[:, list(refined.cells)] *= 0.1
        expected = concat.model.readout(states, every).double().softmax(-1)[0]
    np.testing.assert_allclose(refined.probabilities[1], expected, atol=1e-5)


def test_a_factor_of_one_changes_nothing(any_model, scenes):
    trace, found = seen(any_model, scenes[0])
    refined = suppress(any_model, scenes[0], QUESTION, trace, found, factor=1.0, draws=2)
    assert refined.moved <= 1e-6
    np.testing.assert_allclose(refined.control, refined.probabilities[[0, 0]], atol=1e-6)
    assert not refined.changed
    assert "nothing changes" in refined.sentence()


def test_a_factor_is_felt_only_after_the_layer_that_it_enters(llava, scenes):
    trace, last = seen(llava, scenes[0])
    assert last.late == 2
    unfelt = suppress(llava, scenes[0], QUESTION, trace, last, rho=1.0, factor=0.5)
    assert unfelt.moved < 1e-5
    assert "felt only after it" in unfelt.sentence()
    earlier = suppress(llava, scenes[0], QUESTION, trace, contrast(trace, late=1), rho=1.0, factor=0.1)
    assert earlier.moved > 1e-4


def test_as_many_patches_are_drawn_at_random(llava, scenes):
    trace, found = seen(llava, scenes[0])
    everything = suppress(llava, scenes[0], QUESTION, trace, found, rho=1.0, factor=0.0, draws=3)
    np.testing.assert_allclose(everything.control, everything.probabilities[[1, 1, 1]], atol=1e-6)
    some = suppress(llava, scenes[0], QUESTION, trace, found, rho=0.5, factor=0.0, draws=3, seed=1)
    assert len(some.cells) == 18
    assert len(np.unique(some.control.round(7), axis=0)) == 3
    again = suppress(llava, scenes[0], QUESTION, trace, found, rho=0.5, factor=0.0, draws=3, seed=1)
    np.testing.assert_array_equal(some.control, again.control)


def test_nothing_is_left_of_a_pass_that_breaks(llava, scenes, monkeypatch):
    trace, found = seen(llava, scenes[0])

    def broken(*_arguments):
        raise RuntimeError("broken")

    for refine in (suppress, crop_again):
        with monkeypatch.context() as patch:
            patch.setattr(llava.norm, "forward", broken)
            with pytest.raises(RuntimeError, match="broken"):
                refine(llava, scenes[0], QUESTION, trace, found)
        assert not any(module._forward_pre_hooks for module in llava.model.modules())
        assert llava.inspect(scenes[0], QUESTION).answers == trace.answers


def test_the_second_picture_is_read_as_transformers_reads_it(decoder, scenes):
    vlm, plain = decoder
    one, two = as_image(scenes[0]), as_image(scenes[1]).crop((16, 0, 48, 32))
    prepared = vlm.prepare_with(one, two, QUESTION)
    alone = vlm.prepare(one, QUESTION)
    image, question = (np.flatnonzero(prepared.segments == s) for s in (Segment.IMAGE, Segment.QUESTION))
    assert len(image) == 72
    assert prepared.length == alone.length + 36
    assert [prepared.tokens[i] for i in question] == ["what", "color", "is", "the", "circle", "?"]
    np.testing.assert_array_equal(prepared.grid.positions, image[:36])
    prompt = f"USER: <image>\n<image>\n{QUESTION.removesuffix('?')} ? ASSISTANT:"
    if vlm.processor.chat_template:
        prompt = f"USER : <image>\n<image>\n{QUESTION} ASSISTANT:"
    inputs = vlm.processor(images=[one, two], text=prompt, return_tensors="pt")
    with torch.inference_mode():
        expected = plain(**inputs).logits[:, -1]
    with vlm.lock:
        found, _ = vlm.run(prepared, None)
        other, _ = vlm.run(vlm.prepare_with(one, as_image(scenes[2]), QUESTION), None)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found, other, atol=1e-3)


def test_a_second_pass_shows_the_hot_box(llava, scenes):
    trace, found = seen(llava, scenes[3])
    refined = crop_again(llava, scenes[3], QUESTION, trace, found, draws=2)
    assert refined.box == hot_box(found.values, trace.grid, SHARE)
    image = as_image(scenes[3])
    with llava.lock:
        logits, _ = llava.run(llava.prepare_with(image, image.crop(refined.box), QUESTION), None)
    np.testing.assert_allclose(refined.probabilities[1], logits[0].double().softmax(-1), atol=1e-6)
    np.testing.assert_allclose(refined.probabilities[0].max(), trace.answers[0].probability, atol=1e-6)
    assert refined.control.shape == (2, refined.probabilities.shape[1])
    whole = crop_again(llava, scenes[3], QUESTION, trace, found, least=1.0, draws=1)
    assert whole.box == (0, 0, *image.size)
    np.testing.assert_array_equal(whole.control[0], whole.probabilities[1])


@pytest.mark.parametrize("seed", range(30))
def test_the_box_is_the_smallest_that_holds_the_hottest_cells(seed):
    rng = np.random.default_rng(seed)
    shape = tuple(int(n) for n in rng.integers(2, 7, 2))
    size = tuple(int(n) for n in rng.integers(30, 200, 2))
    inner = (size[0] * 0.1, 0.0, size[0] * 0.9, float(size[1])) if seed % 2 else None
    grid = Grid.regular(shape, range(shape[0] * shape[1]), size, inner)
    values = rng.normal(size=grid.cells) ** 3
    values -= values.mean()
    share, least = float(rng.uniform(0.1, 0.9)), float(rng.uniform(0, 0.5))
    left, top, right, bottom = hot_box(values, grid, share, least)
    assert 0 <= left < right <= size[0]
    assert 0 <= top < bottom <= size[1]
    assert right - left >= min(size[0], least * size[0])
    assert bottom - top >= least * size[1]
    x0, y0, x1, y1 = grid.boxes[values.argmax()]
    assert left <= x0 + 1e-3
    assert top <= y0 + 1e-3
    assert right >= x1 - 1e-3
    assert bottom >= y1 - 1e-3
    # All boxes of whole cells, one by one: the box holds one of the smallest that hold enough.
    board, (row, column) = np.clip(values, 0, None).reshape(shape), np.unravel_index(values.argmax(), shape)
    fitting = {}
    for t in range(row + 1):
        for b in range(row + 1, shape[0] + 1):
            for x in range(column + 1):
                for y in range(column + 1, shape[1] + 1):
                    held = board[t:b, x:y].sum()
                    if held >= share * board.sum() - 1e-9:
                        fitting[t, b, x, y] = (b - t) * (y - x)
    boxes = grid.boxes.reshape(*shape, 4)
    smallest = [boxes[t:b, x:y].reshape(-1, 4) for (t, b, x, y), a in fitting.items() if a == min(fitting.values())]
    inside = [
        (left, top) <= tuple(c[:, :2].min(0) + 1e-3) and (c[:, 2:].max(0) <= (right + 1e-3, bottom + 1e-3)).all()
        for c in smallest
    ]
    assert any(inside)
    if least == 0:
        sides = [max(c[:, 2].max() - c[:, 0].min(), c[:, 3].max() - c[:, 1].min()) for c in smallest]
        assert max(right - left, bottom - top) <= max(sides) + 2


def test_the_box_is_square_where_the_picture_allows():
    grid = Grid.regular((6, 6), range(36), (600, 600))
    values = -np.ones(36)
    values[[6, 7, 8, 9]] = 1  # a row of four
    left, top, right, bottom = hot_box(values, grid, 1.0, 0.0)
    assert (left, right) == (0, 400)
    assert bottom - top == 400
    flat = Grid.regular((6, 6), range(36), (600, 60))
    assert hot_box(values, flat, 1.0, 0.0) == (0, 0, 400, 60)


@pytest.mark.parametrize("seed", range(5))
def test_a_random_box_has_the_same_size_and_lies_inside(seed):
    rng = np.random.default_rng(seed)
    boxes = np.array([random_box((10, 5, 30, 25), (60, 26), rng) for _ in range(300)])
    assert (boxes[:, 2:] - boxes[:, :2] == 20).all()
    assert boxes.min(0).tolist() == [0, 0, 20, 20]
    assert boxes.max(0).tolist() == [40, 6, 60, 26]


@pytest.mark.parametrize("name", WIRED)
def test_a_wiring_has_no_place_for_a_second_picture(model, scenes, name):
    vlm = model(name)
    trace, found = seen(vlm, scenes[0])
    with pytest.raises(NotApplicable, match=f"{name} reads one picture"):
        crop_again(vlm, scenes[0], QUESTION, trace, found)


def test_what_cannot_be_refined_is_said(llava, scenes):
    trace, found = seen(llava, scenes[0])
    for settings in ({"rho": 0}, {"rho": 1.1}, {"factor": -0.1}, {"factor": 2}):
        with pytest.raises(NotApplicable, match="rho lies above 0"):
            suppress(llava, scenes[0], QUESTION, trace, found, **settings)
    for settings in ({"share": 2}, {"least": -1}):
        with pytest.raises(NotApplicable, match="fractions from 0 to 1"):
            crop_again(llava, scenes[0], QUESTION, trace, found, **settings)
    with pytest.raises(NotApplicable, match="No patch gained"):
        crop_again(llava, scenes[0], QUESTION, trace, replace(found, values=np.zeros(36)))
    with pytest.raises(NotApplicable, match=r"no form “magic”; there are suppress, crop"):
        refine_many(llava, [(scenes[0], QUESTION, "red")], "magic")
    with pytest.raises(NotApplicable, match="needs items"):
        refine_many(llava, [], "crop")


@pytest.mark.parametrize("form", FORMS)
def test_a_study_is_its_items_one_by_one(llava, form):
    items = [(item.scene, item.question.text, item.answer) for item in take("test", 5, 6)]
    settings = {"rho": 0.8, "factor": 0.0} if form == "suppress" else {"share": 0.4}
    parts = list(refining(llava, items, form, late=1, draws=2, **settings))
    assert [len(part.before) for part in parts] == [1, 2, 3, 4, 5, 6]
    study = parts[-1]
    for number, (picture, question, answer) in enumerate(items):
        trace = llava.inspect(picture, question)
        found = contrast(trace, late=1)
        refined = FORMS[form].refine(llava, picture, question, trace, found, draws=2, seed=number, **settings)
        assert study.before[number] == (trace.answer == answer)
        assert study.after[number] == (refined.after[0].text == answer)
        said = [llava.answer_text(int(p.argmax())) for p in refined.control]
        assert study.control[number].tolist() == [word == answer for word in said]
        assert refined.to_dict()["form"] == form
        assert refined.to_frame()[["before", "after"]].to_numpy().max() <= 1


def test_a_cancelled_study_keeps_what_it_has(llava):
    items = [(item.scene, item.question.text, item.answer) for item in take("test", 5, 4)]
    progress, found = Progress(), []

    def go_on():
        for part in refining(llava, items, "suppress", draws=1, progress=progress):
            found.append(part)
            progress.cancel()

    with pytest.raises(Cancelled):
        go_on()
    assert len(found[-1].before) == 1


def made(both, gained, lost, neither, control=0.5):
    """A study with so many items of each kind; the control is right on this share of all."""
    before = np.repeat([True, False, True, False], [both, gained, lost, neither])
    after = np.repeat([True, True, False, False], [both, gained, lost, neither])
    right = np.random.default_rng(0).random((len(before), 4)) < control
    return RefineStudy("suppress", {"rho": 0.5}, before, after, right)


@pytest.mark.parametrize(("gained", "lost"), [(0, 0), (1, 0), (5, 5), (12, 3), (3, 12), (40, 61), (0, 9)])
def test_the_p_value_is_the_exact_binomial(gained, lost):
    expected = stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    np.testing.assert_allclose(mcnemar(gained, lost), expected, rtol=1e-9)
    study = made(50, gained, lost, 20)
    assert (study.gained, study.lost) == (gained, lost)
    np.testing.assert_allclose(study.p_value, expected, rtol=1e-9)


@pytest.mark.parametrize(("gained", "lost"), [(12, 3), (30, 28), (3, 40)])
def test_the_interval_is_the_paired_bootstrap(gained, lost):
    study = made(200, gained, lost, 60)
    difference = study.after * 1.0 - study.before
    assert study.change.mean == pytest.approx((gained - lost) / len(difference))
    theirs = stats.bootstrap(
        (difference,), np.mean, method="percentile", random_state=np.random.default_rng(1)
    ).confidence_interval
    np.testing.assert_allclose([study.change.low, study.change.high], theirs, atol=0.004)
    over = study.after - study.control.mean(axis=1)
    half = 1.96 * over.std() / len(over) ** 0.5
    np.testing.assert_allclose(
        [study.over_control.low, study.over_control.high], [over.mean() - half, over.mean() + half], atol=0.01
    )


def test_the_interval_holds_the_truth_as_often_as_it_says():
    rng, held = np.random.default_rng(0), 0
    for _ in range(200):
        change = Change.of(rng.choice([-1.0, 0.0, 1.0], size=200, p=[0.05, 0.8, 0.15]))
        held += change.low <= 0.1 <= change.high
    assert held >= 180


def test_what_cannot_be_told_from_none_is_said():
    assert "no change that can be told from none" in made(200, 8, 7, 50).sentence()
    assert "no answer changed" in made(200, 0, 0, 50).sentence()
    better = made(200, 60, 7, 50, control=0.5)
    assert better.change.tells
    assert "told from none" not in better.sentence()
    assert "better than chance" in better.sentence()
    same = made(100, 0, 0, 100, control=0.5)
    assert "no difference that can be told from none" in same.sentence()
    assert "tells nothing" in made(1, 0, 0, 0).sentence()
    assert made(1, 0, 0, 0).to_dict()["change"]["interval"] == [None, None]
    assert len(better.to_frame()) == len(better.before)


def test_the_lowest_cells_are_those_of_least_contrast(llava, scenes):
    _, found = seen(llava, scenes[0])
    chosen = lowest(found, 10)
    assert found.values[chosen].max() <= np.delete(found.values, chosen).min()


def test_the_measured_figures_agree_with_each_other():
    found = measured()
    for row in (*found["rows"], found["same_picture_twice"]):
        assert row["items"] >= 500
        assert row["change"]["mean"] == pytest.approx(row["accuracy_after"] - row["accuracy_before"], abs=1e-4)
        assert row["gained"] - row["lost"] == round(row["change"]["mean"] * row["items"])
        assert row["mcnemar_p"] == pytest.approx(mcnemar(row["gained"], row["lost"]))
    assert {row["form"] for row in found["rows"]} == set(FORMS)
