"""Runs on disk: whatever ends a process, nothing is lost but the last interval; finished ones are models."""

import errno
import json
import multiprocessing
import os
import random
import signal
import time
from dataclasses import replace

import pytest
import torch

import vlmlens
from vlmlens.cli import main
from vlmlens.errors import ModelError, UserError
from vlmlens.lab import runs
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.runs import RunError
from vlmlens.lab.scenes import Scene, Thing
from vlmlens.lab.training import Plan, PlanError
from vlmlens.lab.training.checkpoint import CheckpointError, load_checkpoint
from vlmlens.lab.training.curve import Curve, cut, read
from vlmlens.lab.training.lock import is_locked, locked
from vlmlens.lab.training.loop import Point, Trainer, train
from vlmlens.progress import Cancelled, Progress

PLAN = Plan("txt2img", width=16, batch=16, pool=256, steps=12, side=3)
SCENE = Scene((Thing(0, "red", "circle", "large"), Thing(8, "blue", "square", "small")))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("VLMLENS_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(runs, "QUESTIONS", 40)
    monkeypatch.setattr("vlmlens.lab.training.loop.interval_of", lambda plan: 25)  # else so short a run is all watching
    return tmp_path / "runs"


def finished(name="mine", **changes):
    run = runs.start(name, replace(PLAN, **changes))
    list(run.train())
    return run


def test_a_run_from_beginning_to_end():
    run = runs.start("mine", PLAN)
    assert run.state == "new"
    states = {run.state for _ in run.train(interval=5)}
    assert states == {"training"}
    assert run.state == "finished"
    curve = run.curve()
    assert [point.step for point in curve.points] == list(range(1, 13))
    assert [point.loss for point in curve.points] == [point.loss for point in train(PLAN, Trainer(PLAN))]
    assert curve.measured[-1][0] == 12
    assert curve.measured[-1][1].n == 256
    card = run.card()
    assert card["held_out"]["n"] == 40
    assert card["plan"] == PLAN.to_dict()
    assert 0 < card["trainable_share"] < 1
    assert list(run.train()) == []  # no steps are left
    assert [each.name for each in runs.every()] == ["mine"]
    assert runs.open_run("run:mine") == run


@pytest.mark.parametrize("wiring", WIRINGS)
def test_a_finished_run_is_a_model_like_others(wiring):
    run = finished(wiring, wiring=wiring)
    vlm = vlmlens.load(f"run:{wiring}")  # which checks every promise
    trace = vlm.inspect(SCENE, "what color is the circle?")
    assert trace.grid.shape == (3, 3)
    assert sum(1 for token in trace.tokens if token.startswith("patch")) == 9
    again = Trainer(PLAN if wiring == PLAN.wiring else replace(PLAN, wiring=wiring), every=0)
    list(train(again.plan, again))
    kept = {name: value for name, value in vlm.model.state_dict().items() if name.startswith(("fusion.", "readout."))}
    assert all(torch.equal(again.model.state_dict()[name].half().float(), value) for name, value in kept.items())
    assert run.model in [listed.name for listed in vlmlens.list_models()]
    assert main(["evaluate", run.model, "--n", "40", "--json"]) == 0


def test_encoders_that_learnt_are_part_of_the_model():
    finished(rate_pretrained=1e-2, steps=3)
    own, shipped = vlmlens.load("run:mine").model, vlmlens.load("lab:concat").model
    same = [torch.equal(p, q) for p, q in zip(own.vision.parameters(), shipped.vision.parameters(), strict=True)]
    assert not all(same)


def test_gates_that_never_opened_are_no_broken_promise():
    finished(wiring="gated", rate_new=0.0)
    assert vlmlens.load("run:mine").info.ignores == "its gates never opened"


# However it ends


@pytest.mark.parametrize("end", ["left", "cancelled", "an error outside"])
def test_whoever_leaves_between_two_steps_loses_nothing(end):
    run, progress = runs.start("mine", PLAN), Progress()
    steps = run.train(progress)
    for _ in range(7):
        next(steps)
    if end == "left":
        steps.close()
    elif end == "cancelled":
        progress.cancel()
        with pytest.raises(Cancelled):
            next(steps)
    else:
        with pytest.raises(ZeroDivisionError):
            steps.throw(ZeroDivisionError())
    assert run.state == "stopped"
    assert load_checkpoint(run.folder / "checkpoint.safetensors").step == 7
    rest = [point.step for point in runs.resume("mine").train()]
    assert rest == [8, 9, 10, 11, 12]
    whole = [point.loss for point in train(PLAN, Trainer(PLAN))]
    assert [point.loss for point in run.curve().points] == pytest.approx(whole, abs=1e-6)


def test_what_was_trained_but_not_yet_measured_is_measured_the_next_time():
    class Impatient(Progress):
        def step(self, fraction, doing=""):
            if "measuring" in doing:
                self.cancel()
            super().step(fraction, doing)

    run = runs.start("mine", PLAN)
    with pytest.raises(Cancelled):
        list(run.train(Impatient()))
    assert run.state == "stopped"
    assert list(run.train()) == []
    assert run.state == "finished"


def test_killed_at_random_moments_it_loses_no_more_than_an_interval():
    """Processes are killed in the middle of whatever they do; the last one runs to the end."""
    plan, interval, chance = replace(PLAN, width=8, side=1, batch=8, steps=110), 4, random.Random(20)
    whole = [point.loss for point in train(plan, Trainer(plan, every=0))]
    run = runs.start("mine", plan)
    fork = multiprocessing.get_context("fork")  # a fresh process would spend seconds on imports

    def work():
        for _ in run.train(interval=interval):
            pass

    curve, kept, hit = run.folder / "curve.jsonl", 0, 0
    for kill in range(20):
        child = fork.Process(target=work)
        child.start()
        if kill % 4:  # else also while it loads
            before, until = os.stat(curve).st_mtime_ns if curve.exists() else 0, time.monotonic() + 20
            while child.is_alive() and time.monotonic() < until:
                if curve.exists() and os.stat(curve).st_mtime_ns != before:
                    break
                time.sleep(0.001)
        time.sleep(chance.uniform(0.0, 0.1))
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        hit += child.exitcode == -signal.SIGKILL
        assert run.state in ("new", "stopped", "finished")  # and nobody holds it any more
        reached = [point.loss for point in run.curve().points]
        assert reached == pytest.approx(whole[: len(reached)], abs=1e-6)
        path = run.folder / "checkpoint.safetensors"
        step = load_checkpoint(path, plan).step if path.exists() else 0
        assert kept <= step <= len(reached) < step + interval + 1
        kept = step
    assert hit >= 15  # it had not ended long before
    child = fork.Process(target=work)
    child.start()
    child.join()
    assert child.exitcode == 0
    assert run.state == "finished"
    losses = [point.loss for point in run.curve().points]
    assert losses == pytest.approx(whole, abs=1e-6)


def test_a_torn_line_ends_the_curve_and_is_cut_off(tmp_path):
    path = tmp_path / "curve.jsonl"
    lines = [json.dumps({"step": step, "loss": 1.0, "seconds": step}) for step in (1, 2, 3)]
    path.write_text("\n".join(lines) + '\n{"step": 4, "lo')
    assert len(read(path).points) == 3
    assert len(cut(path, 2).points) == 2
    assert len(read(path).points) == 2
    path.write_bytes(b"\xff\xfe")
    assert read(path) == Curve()
    assert read(tmp_path / "none") == Curve()


def test_the_smoothed_loss_is_a_running_mean():
    losses = [random.Random(1).random() for _ in range(50)]
    found = Curve(tuple(Point(i + 1, loss, 0.0) for i, loss in enumerate(losses))).smooth(7)
    for i, (step, mean) in enumerate(found):
        part = losses[max(0, i - 6) : i + 1]
        assert (step, mean) == (i + 1, pytest.approx(sum(part) / len(part)))


# One trainer a run


def test_two_do_not_train_the_same_run():
    run = runs.start("mine", PLAN)
    first = run.train()
    next(first)
    with pytest.raises(RunError, match="being trained already"):
        next(run.train())
    for refused in (lambda: runs.resume("mine"), lambda: runs.delete("mine"), lambda: runs.rename("mine", "other")):
        with pytest.raises(RunError, match="being trained"):
            refused()
    first.close()
    runs.rename("mine", "other")
    assert runs.open_run("other").plan == PLAN
    runs.delete("other")
    assert runs.every() == ()


def test_the_lock_of_a_dead_process_is_nobodys(tmp_path):
    path, fork = tmp_path / "lock", multiprocessing.get_context("fork")
    path.touch()

    def hold():
        with locked(path):
            time.sleep(60)

    child = fork.Process(target=hold)
    child.start()
    until = time.monotonic() + 20
    while not is_locked(path) and time.monotonic() < until:
        time.sleep(0.01)
    with locked(path) as mine:
        assert not mine
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    assert not is_locked(path)
    with locked(path) as mine:
        assert mine


# What is refused


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "-dash", "x" * 41, "two words", "é", "a\n"])
def test_a_name_that_is_none_is_refused(name):
    with pytest.raises(RunError, match="is no name for a run"):
        runs.start(name, PLAN)
    with pytest.raises(RunError):
        runs.open_run(name)
    with pytest.raises(RunError):
        runs.delete(name)


def test_what_cannot_be_is_refused_and_leaves_nothing(folder):
    with pytest.raises(PlanError):
        runs.start("mine", replace(PLAN, steps=0))
    with pytest.raises(PlanError, match="no learned queries"):
        runs.start("mine", replace(PLAN, remedies=(("more queries", 1.0),)))
    assert not list(folder.glob("*"))
    runs.start("mine", PLAN)
    with pytest.raises(RunError, match="already; take another name"):
        runs.start("mine", PLAN)
    with pytest.raises(RunError, match="has not finished"):
        vlmlens.load("run:mine")
    with pytest.raises(RunError, match="There is no run 'other'"):
        vlmlens.load("run:other")
    with pytest.raises(ModelError, match="no revisions"):
        vlmlens.load("run:mine", revision="main")
    assert runs.suggest(PLAN) == "txt2img-0"
    runs.start("txt2img-0", PLAN)
    assert runs.suggest(PLAN) == "txt2img-0-2"


def test_a_finished_run_is_not_resumed():
    finished()
    with pytest.raises(RunError, match="is finished"):
        runs.resume("mine")


def test_what_is_damaged_is_told_and_can_be_deleted():
    run, fine = finished(), finished("fine")
    (run.folder / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunError, match="damaged"):
        vlmlens.load("run:mine")
    (run.folder / "run.json").write_text("{")
    with pytest.raises(RunError, match="delete the run"):
        runs.open_run("mine")
    assert runs.every() == (fine,)
    runs.delete("mine")
    assert not run.folder.exists()


def test_a_checkpoint_of_another_wiring_is_refused():
    one, other = (runs.start(wiring, replace(PLAN, wiring=wiring)) for wiring in ("late", "gated"))
    for run in (one, other):
        next(run.train())
    (one.folder / "checkpoint.safetensors").write_bytes((other.folder / "checkpoint.safetensors").read_bytes())
    with pytest.raises(CheckpointError, match="its wiring is gated, not late"):
        next(one.train())


def test_a_full_disk_is_told_and_what_was_saved_is_resumed(monkeypatch):
    run = runs.start("mine", PLAN)
    steps = run.train(interval=3)
    for _ in range(4):
        next(steps)
    replaced = os.replace

    def full(source, target):
        if str(target).endswith("checkpoint.safetensors"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replaced(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="No space left on device"):
        list(steps)
    monkeypatch.setattr(os, "replace", replaced)
    assert run.state == "stopped"
    assert next(run.train()).step == 4


def test_curves_are_compared_by_name():
    one, other = finished("one"), finished("other", seed=1)
    assert runs.compare(["one", "other"]) == {"one": one.curve(), "other": other.curve()}


# The command line


def test_the_command_line_trains_lists_and_resumes(capsys):
    plan = ["--width", "16", "--tokens", "3", "--batch", "16", "--pool", "256", "--steps", "4", "--seed", "3"]
    more = ["--mix", "color=2,count=1", "--prior", "0.5", "--rate-new", "0.001", "--json"]
    assert main(["train", "--wiring", "perceiver", "--latents", "4", *plan, *more]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["model"] == "run:perceiver-3"
    assert runs.open_run("perceiver-3").plan == Plan(
        "perceiver", seed=3, width=16, side=3, batch=16, pool=256, steps=4, latents=4, mix={"color": 2.0, "count": 1.0},
        prior=0.5, rate_new=0.001,
    )  # fmt: skip
    next(runs.start("stopped", PLAN).train())
    assert main(["train", "--runs"]) == 0
    listed = capsys.readouterr().out
    assert "1 of 12 steps" in listed
    assert "finished" in listed
    assert main(["train", "--resume", "stopped"]) == 0
    assert main(["train", "--runs", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["runs"]
    assert {run["name"]: run["state"] for run in found} == {"stopped": "finished", "perceiver-3": "finished"}


@pytest.mark.parametrize(
    "bad",
    [
        ["--wiring", "sideways"],
        ["--wiring", "gated", "--steps", "0"],
        ["--wiring", "gated", "--width", "17"],
        ["--wiring", "gated", "--mix", "color"],
        ["--wiring", "gated", "--remedy", "prayer=1"],
        ["--wiring", "gated", "--name", "no/name"],
        ["--wiring", "gated", "--resume", "x"],
        ["--resume", "nothing"],
        ["--wiring", "gated", "lab:concat"],
    ],
)
def test_bad_commands_end_with_one_line_and_code_2(bad, capsys):
    assert main(["train", *bad]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1


def test_an_interrupt_keeps_what_was_reached_and_says_how_to_go_on(capsys, monkeypatch):
    trained = Trainer.advance

    def advance(trainer, progress=None):
        if trainer.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return trained(trainer, progress)

    monkeypatch.setattr(Trainer, "advance", advance)
    options = ["--width", "16", "--tokens", "3", "--batch", "16", "--steps", "12", "--name", "mine"]
    assert main(["train", "--wiring", "txt2img", *options]) == 2
    assert "vlmlens train --resume mine" in capsys.readouterr().err
    run = runs.open_run("mine")
    assert load_checkpoint(run.folder / "checkpoint.safetensors").step == run.curve().last.step == 4
