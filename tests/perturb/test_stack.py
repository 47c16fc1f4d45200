"""Steps run in order, survive a link, and an error names the step."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vlmlens.errors import PictureError
from vlmlens.perturb import PERTURBATIONS, Region, Step, apply, from_json, run, to_json

PICTURE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (30, 44, 3), np.uint8))
BOX = Region.box(0.2, 0.2, 0.6, 0.7)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, int)


def test_a_stack_is_its_steps_one_after_the_other():
    steps = (
        Step("fill-mean", 1.0, region=BOX),
        Step("noise", 0.2, seed=3),
        Step("move", 1.0, region=BOX, to=(0.7, 0.6)),
        Step("shuffle", 1.0, options=(("grid", 4),)),
    )
    found = run(PICTURE, steps)
    expected = apply("fill-mean", PICTURE, 1.0, region=BOX).image
    expected = apply("noise", expected, 0.2, 3).image
    expected = apply("move", expected, 1.0, region=BOX, to=(0.7, 0.6)).image
    expected = apply("shuffle", expected, 1.0, grid=4).image
    np.testing.assert_array_equal(pixels(found.image), pixels(expected))
    np.testing.assert_array_equal(found.mask, (pixels(found.image) != pixels(PICTURE)).any(axis=2))


def test_order_matters():
    steps = Step("blur", 0.8), Step("noise", 0.5)
    one, other = run(PICTURE, steps), run(PICTURE, steps[::-1])
    assert (pixels(one.image) != pixels(other.image)).any()


def test_no_steps_and_steps_that_undo_each_other_change_nothing():
    for steps in ((), (Step("flip", 1.0), Step("flip", 1.0)), (Step("noise", 0.0), Step("blank", 0.0))):
        found = run(PICTURE, steps)
        np.testing.assert_array_equal(pixels(found.image), pixels(PICTURE))
        assert not found.mask.any()


def test_donors_are_found_by_their_name():
    donors = {"red": Image.new("RGB", (9, 9), "red"), "blue": Image.new("RGB", (9, 9), "blue")}
    found = run(PICTURE, [Step("donor", 1.0, donor="blue"), Step("fill-donor", 1.0, region=BOX, donor="red")], donors)
    where = BOX.mask(PICTURE.size)
    assert (pixels(found.image)[where] == (255, 0, 0)).all()
    assert (pixels(found.image)[~where] == (0, 0, 255)).all()
    with pytest.raises(PictureError, match=r"Step 1 \(donor\): .*“green” is not here"):
        run(PICTURE, [Step("donor", 1.0, donor="green")], donors)


unit = st.floats(0, 1)
colors = st.integers(0, 2**24 - 1).map(lambda color: f"#{color:06x}")


@st.composite
def steps(draw) -> Step:
    row = draw(st.sampled_from(list(PERTURBATIONS.values())))
    kinds = {
        "whole": lambda o: st.integers(int(o.low), int(o.high)),
        "number": lambda o: st.floats(o.low, o.high),
        "choice": lambda o: st.sampled_from(o.choices),
        "color": lambda o: colors | st.just(""),
    }
    chosen = draw(st.lists(st.sampled_from(row.options), unique=True)) if row.options else []
    region = draw(st.tuples(unit, unit, unit, unit).map(lambda box: Region.box(*box)))
    return Step(
        row.name,
        draw(unit),
        draw(st.integers(0, 2**32 - 1)),
        region if row.needs_region or draw(st.booleans()) else None,
        draw(st.tuples(unit, unit)) if row.needs_target or draw(st.booleans()) else None,
        draw(st.text(max_size=8)),
        tuple(sorted((option.name, draw(kinds[option.kind](option))) for option in chosen)),
    )


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(steps(), max_size=3))
def test_a_stack_comes_back_from_json_as_it_was(stack):
    assert from_json(to_json(stack)) == tuple(stack)


def test_json_leaves_out_what_goes_without_saying():
    assert to_json([Step("blur", 0.5)]) == '[{"name":"blur","strength":0.5}]'
    assert from_json('[{"name":"flip"}]') == (Step("flip", PERTURBATIONS["flip"].strength),)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "not written as JSON"),
        ('[{"name":"bl', "cut short"),
        ("{}", "are a list"),
        ("[3]", "Step 1 has no name"),
        ('[{"strength":1}]', "Step 1 has no name"),
        ('[{"name":"blur"},{"name":"swirl"}]', r"Step 2 \(swirl\): There is no change called swirl"),
        ('[{"name":"blur","strength":3}]', r"Step 1 \(blur\): strength goes from 0 to 1, got 3"),
        ('[{"name":"blur","strength":NaN}]', "strength goes from 0 to 1"),
        ('[{"name":"blur","strength":1' + "0" * 400 + "}]", "strength goes from 0 to 1"),
        ('[{"name":"blur","strength":"1"}]', "strength goes from 0 to 1"),
        ('[{"name":"blur","seed":true}]', "seed is a whole number"),
        ('[{"name":"blur","size":3}]', "it says size"),
        ('[{"name":"blur","options":{"grid":3}}]', "no option grid"),
        ('[{"name":"shuffle","options":{"grid":"3"}}]', "grid is a whole number"),
        ('[{"name":"shuffle","options":[3]}]', "options are written"),
        ('[{"name":"blur","donor":3}]', "a donor is a name"),
        ('[{"name":"fill-mean"}]', r"Step 1 \(fill-mean\): fill-mean changes a region; draw one"),
        ('[{"name":"fill-mean","region":{"ball":[1]}}]', "A region is written as"),
        ('[{"name":"move","region":{"box":[0,0,1,1]}}]', "place to go to"),
        ('[{"name":"move","region":{"box":[0,0,1,1]},"to":0.5}]', r"written \[x, y\]"),
        ('[{"name":"move","region":{"box":[0,0,1,1]},"to":[2,0]}]', "outside the picture"),
        (json.dumps([{"name": "blur"}] * 33), "at most 32 changes"),
        ("[" * 100_000, "not written as JSON"),
        ("[" + " " * 200_001 + "]", "letters"),
    ],
)
def test_what_is_no_stack_is_told_in_one_sentence(content, told):
    with pytest.raises(PictureError, match=told) as caught:
        from_json(content)
    assert "\n" not in str(caught.value)


def test_a_step_that_cannot_run_is_named():
    steps = [Step("blur"), Step("fill-mean", region=Region.box(2, 2, 3, 3))]
    with pytest.raises(PictureError, match=r"Step 2 \(fill-mean\): The region lies outside"):
        run(PICTURE, steps)
    with pytest.raises(PictureError, match=r"Step 1 \(blur\): blur has no option region"):
        run(PICTURE, [Step("blur", options=(("region", "x"),))])


def test_a_step_can_be_typed():
    assert Step.parse("blur:0.25:7") == Step("blur", 0.25, 7)
    assert Step.parse("noise:1") == Step("noise", 1.0)
    assert Step.parse("flip") == Step("flip", PERTURBATIONS["flip"].strength)
    for text in ("", "swirl", "blur:x", "blur:1:x", "blur:1:2:3"):
        with pytest.raises(PictureError):
            Step.parse(text)
