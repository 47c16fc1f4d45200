"""A pass leaves nothing behind, whether it ends well or in an error, and two at once do not see each other."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from vlmlens.trace import Knockout, Replace, Segment, Watch

QUESTION = "what color is the circle?"
ASKED = 100  # times in each thread


def hooks(model, kind="_forward_pre_hooks"):
    """The modules that have any; transformers keeps a few forward hooks of its own on a vision tower."""
    return [name for name, module in model.model.named_modules() if getattr(module, kind)]


def test_a_pass_that_breaks_leaves_the_next_one_as_it_was(any_model, scenes):
    before = any_model.inspect(scenes[0], QUESTION)
    image = before.segments == Segment.IMAGE
    broken = Replace(1, tuple(np.flatnonzero(image)), np.zeros((image.sum(), 5)))  # states of the wrong shape
    with pytest.raises(RuntimeError):
        any_model.inspect(scenes[0], QUESTION, edits=[Knockout(image), broken])
    assert hooks(any_model) == []
    after = any_model.inspect(scenes[0], QUESTION)
    assert after.answers == before.answers
    for name, record in before.rows.items():
        for ours, theirs in zip(record.attention, after.rows[name].attention, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_an_edited_pass_that_ends_well_leaves_nothing_either(any_model, scenes):
    before = any_model.inspect(scenes[0], QUESTION)
    image = before.segments == Segment.IMAGE
    edited = any_model.inspect(scenes[0], QUESTION, edits=[Knockout(image)])
    assert hooks(any_model) == []
    assert edited.answers != before.answers
    assert any_model.inspect(scenes[0], QUESTION).answers == before.answers


def test_hooks_are_there_during_a_pass_and_gone_after_it(llava, scenes, monkeypatch):
    seen = []
    plain = llava.model.generate

    def look(**arguments):
        seen.append(hooks(llava))
        return plain(**arguments)

    monkeypatch.setattr(llava.model, "generate", look)
    others = [hooks(llava, kind) for kind in ("_forward_hooks", "_backward_hooks", "_backward_pre_hooks")]
    llava.inspect(scenes[0], QUESTION)
    assert len(seen[0]) == len(llava.layers)
    assert hooks(llava) == []
    assert [hooks(llava, kind) for kind in ("_forward_hooks", "_backward_hooks", "_backward_pre_hooks")] == others


def test_two_threads_each_get_their_own_answers(any_model, scenes):
    """Different pictures, questions and watches; one of the two also edits."""
    image = any_model.prepare(any_model.image(scenes[0]), QUESTION).segments == Segment.IMAGE
    jobs = {
        0: [(scene, QUESTION, Watch(), ()) for scene in scenes],
        1: [
            (scene, "what color is the square?", Watch(rows=("last",), contributions=False), edits)
            for scene, edits in zip(scenes, [(), (Knockout(image),)] * 5, strict=True)
        ],
    }

    def ask(job):
        picture, question, watch, edits = job
        ready = any_model.prepare(any_model.image(picture), question)
        with any_model.lock:
            logits, recorder = any_model.run(ready, watch, edits)
        return logits, {name: kept.attention for name, kept in recorder.kept.items()}

    expected = {which: [ask(job) for job in of_thread] for which, of_thread in jobs.items()}
    assert len({logits.numpy().tobytes() for logits, _ in (*expected[0], *expected[1])}) > 14
    barrier = threading.Barrier(2)

    def many(which):
        barrier.wait()
        right = 0
        for number in range(ASKED):
            logits, kept = ask(jobs[which][number % 10])
            wanted, wanted_rows = expected[which][number % 10]
            right += torch.equal(logits, wanted) and all(
                torch.equal(kept[name], rows) for name, rows in wanted_rows.items()
            )
        return right

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(many, [0, 1])) == [ASKED, ASKED]


def test_whole_inspections_at_once_are_right_too(any_model, scenes):
    alone = [any_model.inspect(scene, QUESTION).answers for scene in scenes]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda scene: any_model.inspect(scene, QUESTION).answers, scenes * 2))
    assert together == alone * 2


def test_a_lab_model_takes_one_thread_and_leaves_the_others_as_they_were():
    from threadpoolctl import threadpool_info, threadpool_limits

    from vlmlens.threads import one_thread

    def threads() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "openmp"}

    with threadpool_limits(2, user_api="openmp"):
        with one_thread("openmp"):
            assert threads() == {1}
        with pytest.raises(ZeroDivisionError), one_thread("openmp"):
            1 / 0  # noqa: B018
        assert threads() == {2}
