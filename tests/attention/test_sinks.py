"""Sinks: a planted outlier is found, and ordinary states are none."""

import numpy as np
import pytest
import torch

from vlmlens.attention import budget, sinks
from vlmlens.trace import Segment
from vlmlens.trace.capture import Recorder, entering, recording

WIDTH, LENGTH = 1024, 11


def peaks_of(*layers):
    """What the recorder makes of states [position, width], layer by layer."""
    with recording(Recorder({}, np.zeros(LENGTH), {"site": ()})) as recorder:
        for number, states in enumerate(layers):
            entering(number, states[None], range(LENGTH))
    return np.stack([recorder.peaks[number].numpy() for number in range(len(layers))])


def test_a_planted_outlier_is_found_in_whichever_layer_it_appears(make_trace):
    states = torch.randn(3, LENGTH, WIDTH, generator=torch.Generator().manual_seed(0))
    assert sinks(make_trace(layers=3, peaks=peaks_of(*states))) == ()
    states[1, 0, 700] = 60.0
    states[2, 6, 5] = -60.0
    assert sinks(make_trace(layers=3, peaks=peaks_of(*states))) == (0, 6)


def test_a_peak_does_not_depend_on_the_scale_of_the_states():
    states = torch.randn(LENGTH, WIDTH, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(peaks_of(states), peaks_of(states * 1000), rtol=1e-5)


def test_a_peak_is_in_units_of_the_states_root_mean_square():
    lonely = torch.zeros(LENGTH, WIDTH)
    lonely[:, 3] = 7.0
    np.testing.assert_allclose(peaks_of(lonely), WIDTH**0.5, rtol=1e-6)
    np.testing.assert_allclose(peaks_of(torch.ones(LENGTH, WIDTH)), 1.0, rtol=1e-6)
    assert np.isfinite(peaks_of(torch.zeros(LENGTH, WIDTH))).all()


@pytest.mark.parametrize("threshold", [0.5, 1.5])
def test_the_threshold_is_what_it_says(threshold, make_trace):
    assert len(sinks(make_trace(), threshold)) == (11 if threshold < 1 else 0)


def test_lab_models_have_none(any_model, scenes):
    for scene in scenes[:3]:
        assert sinks(any_model.inspect(scene, "what color is the circle?")) == ()


def test_the_budget_can_be_had_without_them(make_trace):
    attention = np.full((2, 3, LENGTH), 0.02)
    attention[:, :, 0] = 0.8
    peaks = np.ones((2, LENGTH), np.float32)
    peaks[0, 0] = 30
    trace = make_trace(attention, peaks=peaks)
    np.testing.assert_allclose(budget(trace).of(Segment.IMAGE), 0.12, rtol=1e-5)
    np.testing.assert_allclose(budget(trace, without=sinks(trace)).of(Segment.IMAGE), 0.6, rtol=1e-5)
