"""A checkpoint is whole or not there, and what goes on from it is as if it had never stopped."""

import errno
import os
import random
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.training import Plan
from vlmlens.lab.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, write
from vlmlens.lab.training.loop import Trainer, train

PLAN = Plan("txt2img", width=16, batch=16, pool=300, steps=12, side=3)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_what_was_stopped_anywhere_goes_on_as_if_it_had_not_been(wiring, tmp_path):
    plan = replace(PLAN, wiring=wiring)
    whole = [point.loss for point in train(plan, Trainer(plan, every=0))]
    trainer = Trainer(plan, every=0)
    for _ in range(random.Random(wiring).randrange(1, plan.steps)):
        trainer.advance()
    save_checkpoint(tmp_path / "c", trainer)
    again = load_checkpoint(tmp_path / "c", plan, every=0)
    assert again.step == trainer.step
    rest = [point.loss for point in train(plan, again)]
    assert rest == pytest.approx(whole[trainer.step :], abs=1e-6)


def test_encoders_that_learn_are_in_it(tmp_path):
    plan = replace(PLAN, rate_pretrained=1e-3, steps=4)
    whole = [point.loss for point in train(plan, Trainer(plan, every=0))]
    trainer = Trainer(plan, every=0)
    trainer.advance()
    save_checkpoint(tmp_path / "c", trainer)
    rest = [point.loss for point in train(plan, load_checkpoint(tmp_path / "c", plan, every=0))]
    assert rest == pytest.approx(whole[1:], abs=1e-6)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "checkpoint.safetensors"
    trainer = Trainer(PLAN, every=0)
    trainer.advance()
    save_checkpoint(path, trainer)
    return path


@pytest.mark.parametrize("harm", ["cut", "empty", "a bit", "text", "foreign"])
def test_a_damaged_file_is_refused_in_a_sentence(kept, tmp_path, harm):
    path = tmp_path / kept.name
    content = bytearray(kept.read_bytes())
    match harm:
        case "cut":
            content = content[: len(content) // 2]
        case "empty":
            content = bytearray()
        case "a bit":
            content[-100] ^= 1
        case "text":
            content = bytearray(b"not what it seems")
    path.write_bytes(content)
    if harm == "foreign":
        save_file(load_file(kept), path)  # without what vlmlens writes beside
    with pytest.raises(CheckpointError) as refused:
        load_checkpoint(path, PLAN)
    assert str(refused.value).endswith(".")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "told"), [({"wiring": "gated"}, "wiring"), ({"width": 8}, "width"), ({"seed": 1}, "seed")]
)
def test_one_of_another_plan_is_refused_by_what_differs(kept, change, told):
    with pytest.raises(CheckpointError, match=f"belongs to another run: its {told} is"):
        load_checkpoint(kept, replace(PLAN, **change))


def test_one_that_is_not_there_is_told(tmp_path):
    with pytest.raises(CheckpointError, match="There is no"):
        load_checkpoint(tmp_path / "c", PLAN)


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_one_before(kept, tmp_path, monkeypatch, call):
    path = tmp_path / "checkpoint.safetensors"
    path.write_bytes(kept.read_bytes())
    trainer = load_checkpoint(path, PLAN, every=0)
    trainer.advance()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, call, full)
    with pytest.raises(CheckpointError, match=r"No space left on device\. What was saved before is intact"):
        save_checkpoint(path, trainer)
    monkeypatch.undo()
    assert path.read_bytes() == kept.read_bytes()
    assert list(tmp_path.iterdir()) == [path]  # nothing half-written stays


def test_writing_replaces_the_whole(tmp_path):
    path = tmp_path / "file"
    for content in (b"a longer first content", b"short"):
        write(path, content)
        assert path.read_bytes() == content


def test_weights_are_the_same_bits(kept):
    one, other = load_checkpoint(kept, PLAN), load_checkpoint(kept, PLAN)
    assert all(torch.equal(p, other.trained[name]) for name, p in one.trained.items())
