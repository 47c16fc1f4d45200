"""Maps are the attention itself, cut down to the image cells."""

import numpy as np
import pytest

from vlmlens.attention import default_place, image_maps
from vlmlens.trace import Segment

QUESTION = "what color is the circle?"


def test_a_map_is_the_row_at_the_image_positions(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    places, values = image_maps(trace)
    image = trace.segment_positions(Segment.IMAGE)
    for place, of_place in zip(places, values, strict=True):
        whole = trace.rows["last"].attention[trace.places.index(place)]
        np.testing.assert_array_equal(of_place, whole[:, :, image])
        assert of_place.any()


def test_places_that_see_no_image_have_no_map(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    places, _ = image_maps(trace)
    image = trace.segment_positions(Segment.IMAGE)
    for place, visible in zip(trace.places, trace.rows["last"].visible, strict=True):
        assert (place in places) == visible[:, image].any()


def test_maps_of_all_rows_lie_side_by_side(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    places, values = image_maps(trace)
    for rows, record in trace.rows.items():
        same, others = image_maps(trace, rows)
        assert same == places
        assert others.shape == (*values.shape[:2], len(record.positions), trace.grid.cells)


def test_the_place_shown_first_is_the_most_concentrated(make_trace):
    attention = np.full((3, 2, 11), 1 / 11)
    attention[1] = 0
    attention[1, :, 5] = 1
    assert default_place(make_trace(attention)) == 1


def test_every_model_has_a_place_to_show_first(any_model, scenes):
    trace = any_model.inspect(scenes[0], QUESTION)
    places, _ = image_maps(trace)
    chosen = default_place(trace)
    assert 0 <= chosen < max(1, len(places))
    if any(place.kind != "readout" for place in places):
        assert places[chosen].kind != "readout"


def test_a_trace_that_sees_no_image_has_no_maps(make_trace):
    trace = make_trace()
    record = trace.rows["last"]
    blind = [v & False for v in record.visible]
    object.__setattr__(record, "visible", tuple(blind))
    places, values = image_maps(trace)
    assert places == ()
    assert values.shape[0] == 0
    assert default_place(trace) == 0


@pytest.mark.parametrize("rows", ["question", "answer"])
def test_rows_that_were_not_watched_are_refused(rows, make_trace):
    with pytest.raises(LookupError, match=rows):
        image_maps(make_trace(), rows)
