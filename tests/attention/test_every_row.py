"""Every row's attention by segment equals what whole attention adds up to, however many rows go at a time."""

import numpy as np
import torch

from vlmlens.attention import budget, every_row
from vlmlens.models.inside import whole
from vlmlens.trace import Segment, capture, rows

QUESTION = "what color is the circle?"


def test_it_is_what_whole_attention_adds_up_to(any_model, scenes, monkeypatch):
    passed = whole(any_model, any_model.prepare(any_model.image(scenes[0]), QUESTION))
    asked = []
    plain = rows.row_attention

    def counting(call, some, blocked):
        asked.append(len(some))
        return plain(call, some, blocked)

    for at_once in (rows.ROWS_AT_ONCE, 5):
        monkeypatch.setattr(rows, "ROWS_AT_ONCE", at_once)
        monkeypatch.setattr(rows, "row_attention", counting)
        asked.clear()
        found = every_row(any_model, scenes[0], QUESTION)
        monkeypatch.setattr(rows, "row_attention", plain)
        assert max(asked) <= at_once
        trace = any_model.inspect(scenes[0], QUESTION)
        places = [(label, share) for label, share in zip(found.labels, found.share, strict=True)]
        for site, flow in zip(passed.sites, passed.flows, strict=True):
            queries = [q for q in site.queries if q < passed.length]
            if not queries:
                continue
            member = np.stack([trace.segments[list(site.keys)] == s for s in found.segments], axis=1)
            expected = flow.weights.mean(dim=0).cpu().numpy() @ member
            same = [share[queries] for label, share in places if label == site.label or len(places) == 1]
            assert any(np.allclose(each, expected[: len(queries)], atol=1e-5) for each in same), site.label


def test_the_last_row_is_that_of_the_budget(llava, scenes):
    trace = llava.inspect(scenes[0], QUESTION)
    found = every_row(llava, scenes[0], QUESTION)
    row = len(found.tokens) - 1
    known = budget(trace)
    shares = [found.share[:, row, found.segments.index(s)] for s in known.segments if s != Segment.ANSWER]
    expected = [known.share[:, known.segments.index(s)] for s in known.segments if s != Segment.ANSWER]
    np.testing.assert_allclose(shares, expected, atol=1e-5)
    frame = found.to_frame()
    assert len(frame) == found.share.shape[0] * len(found.tokens)
    np.testing.assert_allclose(frame.filter(like="share_").sum(axis=1), 1, atol=1e-5)


def test_nothing_of_it_stays(llava, scenes):
    every_row(llava, scenes[0], QUESTION)
    assert capture._active.get() is None
    assert all(not module._forward_pre_hooks for module in llava.model.modules())
    assert torch.is_grad_enabled()
