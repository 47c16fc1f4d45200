"""A recorder hears its own thread for as long as its block lasts, and nothing else."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from vlmlens.lab.vision import HEADS, WIDTH, Attention
from vlmlens.trace import Knockout, Segment, Site
from vlmlens.trace.capture import Recorder, recording

LENGTH = 6
EVERY = tuple(range(LENGTH))
ROUNDS = 200


def recorder_for(module, rows=EVERY, edits=()):
    return Recorder(
        {module: Site("s", 0, "self", EVERY, EVERY)}, np.full(LENGTH, Segment.IMAGE), {"s": rows}, edits=edits
    )


@pytest.fixture
def attention():
    torch.manual_seed(0)
    return Attention(WIDTH, HEADS).requires_grad_(False)


def test_it_is_gone_after_an_error_in_the_forward_pass(attention):
    states = torch.randn(1, LENGTH, WIDTH)
    plain = attention(states, states)
    recorder = recorder_for(attention, edits=[Knockout(np.arange(LENGTH) < 3)])

    def break_off():
        with recording(recorder):
            attention(states, states)
            attention(states[..., :3], states)  # the shapes do not fit

    with pytest.raises(RuntimeError):
        break_off()
    assert recorder.kept
    recorder.kept.clear()
    assert torch.equal(attention(states, states), plain)
    assert not recorder.kept


def test_the_outer_of_two_is_back_when_the_inner_ends(attention):
    states = torch.randn(1, LENGTH, WIDTH)
    outer, inner = recorder_for(attention), recorder_for(attention)
    with recording(outer):
        with recording(inner):
            attention(states, states)
        assert not outer.kept
        attention(states, states)
    assert outer.kept
    assert inner.kept


def test_two_threads_on_one_module_never_mix(attention):
    """Each thread has its own input, rows and knock-out; whatever leaks shows in one of them."""
    generator = torch.Generator().manual_seed(0)
    jobs = [
        (torch.randn(1, LENGTH, WIDTH, generator=generator), rows, edits)
        for rows, edits in (((0, 5), ()), ((1, 2, 3), [Knockout(np.arange(LENGTH) < 2, "all")]))
    ]

    def run(job):
        states, rows, edits = job
        with recording(recorder_for(attention, rows, edits)) as recorder:
            return attention(states, states), recorder.kept["s"].attention

    alone = [run(job) for job in jobs]
    barrier = threading.Barrier(2)

    def many(which):
        barrier.wait()
        wrong = 0
        for _ in range(ROUNDS):
            output, rows = run(jobs[which])
            wrong += not (torch.equal(output, alone[which][0]) and torch.equal(rows, alone[which][1]))
        return wrong

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(many, [0, 1])) == [0, 0]


def test_a_thread_started_meanwhile_hears_nothing(attention):
    states = torch.randn(1, LENGTH, WIDTH)
    with recording(recorder_for(attention)) as recorder:
        thread = threading.Thread(target=attention, args=(states, states))
        thread.start()
        thread.join()
    assert not recorder.kept
