"""Two traces side by side: the differences are those of the parts, and what cannot be compared says so."""

import json
from dataclasses import replace

import numpy as np
import pytest

from vlmlens.attention import budget, contributions, image_maps
from vlmlens.counterfactual import compare
from vlmlens.errors import NotApplicable
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.trace import Grid, Segment, Watch

QUESTION = "what color is the circle?"
RED = Scene((Thing(4, "red", "circle", "large"), Thing(0, "blue", "square", "small")))
GREEN = RED.edit(4, color="green")


@pytest.fixture(scope="module")
def traces(model):
    return [model("lab:concat").inspect(scene, QUESTION) for scene in (RED, GREEN)]


def test_budgets_and_maps_are_those_of_the_traces(traces):
    found = compare(*traces)
    for change, ruler in ((found.attention, budget), (found.contributions, contributions)):
        for table, trace in ((change.before, traces[0]), (change.after, traces[1])):
            np.testing.assert_array_equal(table, ruler(trace).share)
        np.testing.assert_allclose(change.difference.sum(axis=1), 0, atol=1e-6)
    np.testing.assert_allclose(found.maps.after, image_maps(traces[1])[1][:, :, 0].mean(axis=1))
    assert found.no_maps == ""
    assert found.flipped
    assert "“red”" in found.sentence()
    assert "“green”" in found.sentence()


def test_a_trace_does_not_differ_from_itself(traces):
    found = compare(traces[0], traces[0])
    assert not found.flipped
    assert found.answers.divergence == 0
    assert not found.attention.difference.any()
    assert not found.maps.difference.any()


def test_the_moved_thing_draws_the_map_after_it(model):
    vlm = model("lab:img2txt")
    moved = RED.edit(4, cell=8)
    found = compare(*(vlm.inspect(scene, QUESTION) for scene in (RED, moved)))
    gained = found.maps.difference[-1].reshape(6, 6)
    assert gained[4:, 4:].sum() > 0 > gained[2:4, 2:4].sum()


def test_questions_of_any_length_are_compared(llava):
    longer = compare(llava.inspect(RED, QUESTION), llava.inspect(RED, "is the circle left of the square?"))
    assert longer.attention.before.shape == longer.attention.after.shape
    assert longer.maps is not None
    assert longer.flipped


def test_other_grids_have_no_map_but_a_reason(make_trace):
    before, after = make_trace(grid=(2, 3)), make_trace(grid=(3, 3))
    found = compare(before, after)
    assert found.maps is None
    assert found.no_maps == "The model cut one picture into 2 x 3 cells and the other into 3 x 3; give both one size."
    nowhere = replace(before, grid=Grid(np.zeros((0, 4), np.float32), np.zeros(0, int), (60, 40), (0, 0)))
    assert "not known where" in compare(nowhere, nowhere).no_maps


def test_a_segment_that_one_run_lacks_has_no_share_there(make_trace):
    before = make_trace()
    without = replace(before, segments=np.where(before.segments == Segment.BOS, Segment.INSTRUCTION, before.segments))
    change = compare(before, without).attention
    assert change.segments[0] == Segment.BOS
    assert (change.of(Segment.BOS) < 0).all()


def test_two_models_are_refused(traces, model):
    with pytest.raises(NotApplicable, match=r"One run is of lab:concat .* Ask one model both times"):
        compare(traces[0], model("lab:llava").inspect(RED, QUESTION))


def test_it_fits_a_table_and_a_json_also_without_contributions(traces, model):
    found = compare(*traces)
    told = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert told["answers"]["flipped"]
    assert len(told["budgets"]) == len(found.to_frame())
    bare = model("lab:concat").inspect(GREEN, QUESTION, watch=Watch(contributions=False))
    assert compare(traces[0], bare).contributions is None
    silent = model("lab:txt2img")  # whose picture and words share no softmax
    quiet = compare(silent.inspect(RED, QUESTION), silent.inspect(GREEN, QUESTION))
    assert json.dumps(quiet.to_dict(), allow_nan=False)
