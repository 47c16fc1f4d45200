"""A decoder with learned sinks: what goes to them goes to no token, and the record says so."""

import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText

import vlmlens
from vlmlens.attention import budget
from vlmlens.attribution import Case, explain
from vlmlens.trace import Segment, open_trace

build = runpy.run_path(str(Path(__file__).with_name("tiny.py")))["build"]
QUESTION = "what color is the circle?"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sinks")
    build("llava_with_sinks", folder)
    return folder


@pytest.fixture(scope="module")
def vlm(folder):
    return vlmlens.load(str(folder))


@pytest.fixture(scope="module")
def picture():
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def trace(vlm, picture):
    return vlm.inspect(picture, QUESTION)


def test_rows_and_answers_are_those_of_eager_attention(vlm, folder, picture, trace):
    ready = vlm.prepare(picture, QUESTION)
    plain = AutoModelForImageTextToText.from_pretrained(folder, attn_implementation="eager").eval()
    with torch.inference_mode():
        found = plain(**ready.inputs, use_cache=False, output_attentions=True)
    torch.testing.assert_close(vlm.run(ready, None)[0], found.logits[:, -1], atol=1e-5, rtol=1e-5)
    weights = torch.stack(found.attentions)[:, 0].numpy()
    last, question = (trace.attention(rows)[..., : ready.length] for rows in ("last", "question"))
    np.testing.assert_allclose(last, weights[:, :, -1:], atol=1e-5)
    asked = trace.segment_positions(Segment.QUESTION)
    np.testing.assert_allclose(question, weights[:, :, asked], atol=1e-5)


def test_the_record_says_what_went_nowhere(trace, tmp_path):
    assert all(place.sinks for place in trace.places)
    split = budget(trace)
    lost = 1 - trace.attention("last").sum(-1).mean(axis=(1, 2))
    assert (lost > 0.01).all()
    np.testing.assert_allclose(split.nowhere, lost, atol=1e-5)
    np.testing.assert_allclose(split.share.sum(axis=1), 1, atol=1e-5)
    trace.save(tmp_path / "trace.safetensors")
    np.testing.assert_allclose(budget(open_trace(tmp_path / "trace.safetensors")).nowhere, lost, atol=1e-5)


def test_maps_of_the_way_to_the_answer_leave_it_out(vlm, picture, trace):
    case = Case(vlm, picture, QUESTION, trace)
    for name in ("rollout", "value-weighted", "chefer"):
        values = explain(name, case).values
        assert np.isfinite(values).all()
        assert values.any()
