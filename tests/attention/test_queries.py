"""What queries look at is what the model's own attention did; hiding a query is what its own knock-out does."""

import numpy as np
import pytest
import torch

from vlmlens.attention.queries import QueryLooks, looks_of
from vlmlens.errors import NotApplicable
from vlmlens.lab.sample import take
from vlmlens.models import load
from vlmlens.trace import Grid, Knockout
from vlmlens.trace.capture import Recorder, recording

ITEM = take("test", 0, 1)[0]


@pytest.fixture(scope="module")
def vlm():
    return load("lab:qformer")


@pytest.fixture(scope="module")
def found(vlm):
    return looks_of(vlm, ITEM.scene, ITEM.question.text)


def test_every_look_is_a_share_and_equals_the_watched_rows(vlm, found):
    queries = vlm.model.fusion.queries
    assert found.looks.shape == (2, queries, 36)
    np.testing.assert_allclose(found.looks.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(found.read.sum(), 1, atol=1e-5)
    np.testing.assert_allclose(found.heads.mean(1), found.looks.mean(1), atol=1e-6)
    prepared = vlm.prepare(vlm.image(ITEM.scene), ITEM.question.text)
    sites = vlm.sites(prepared)
    rows = {site.name: site.queries for site in sites.values()}
    with torch.inference_mode(), recording(Recorder(sites, prepared.segments, rows)) as recorder:
        vlm.logits(prepared)
    cross = [site for site in sites.values() if site.kind == "cross"]
    for layer, site in enumerate(cross):
        kept = recorder.kept[site.name].attention[0].mean(0).numpy()
        np.testing.assert_allclose(found.looks[layer], kept, atol=1e-6)


def test_without_a_query_is_the_models_own_knock_out(vlm, found):
    prepared = vlm.prepare(vlm.image(ITEM.scene), ITEM.question.text)
    for query in (0, vlm.model.fusion.queries - 1):
        keys = np.zeros(prepared.length, bool)
        keys[prepared.length - vlm.model.fusion.queries + query] = True
        with torch.inference_mode():
            logits = vlm.run(prepared, None, [Knockout(keys)])[0]
        probabilities = logits[0].softmax(-1)
        best = [vlm.answer_text(i) for i in range(len(probabilities))].index(found.answer)
        assert found.without[query] == pytest.approx(float(probabilities[best]), abs=1e-5)


def test_overlap_is_one_for_like_queries_and_zero_for_those_that_share_nothing():
    def looks(rows):
        rows = np.array(rows, float)[None]
        return QueryLooks(
            ("l",), rows, rows, rows[0, :, 0], "", 1.0, rows[0, :, 0], Grid.regular((1, 3), range(3), (3, 1))
        )

    assert looks([[0.5, 0.5, 0], [0.5, 0.5, 0]]).overlap == pytest.approx([1])
    apart = looks([[1, 0, 0], [0, 0.5, 0.5]])
    assert apart.overlap == pytest.approx([0])
    np.testing.assert_allclose(apart.on(np.array([False, True, False])), [[0, 0.5]])


def test_a_model_without_queries_is_refused_in_words():
    with pytest.raises(NotApplicable, match="choose lab:qformer"):
        looks_of(load("lab:concat"), ITEM.scene, ITEM.question.text)


def test_a_resamplers_latents_are_queries_too_and_share_their_look_with_one_another():
    found = looks_of(load("lab:perceiver"), ITEM.scene, ITEM.question.text)
    assert found.looks.shape == (2, 16, 36)
    assert (found.looks.sum(-1) < 1).all()  # they also look at themselves
    np.testing.assert_allclose(found.on(np.ones(36, bool)), 1, atol=1e-6)
    np.testing.assert_allclose(found.read.sum(), 1, atol=1e-5)
