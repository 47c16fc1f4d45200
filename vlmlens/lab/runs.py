"""Training runs on disk: started, stopped, taken up again, kept, compared; finished ones are models, `run:NAME`.

    run = start("narrow", Plan("gated", width=16))
    for point in run.train():        # also takes up what was stopped or killed
        point.loss
    vlmlens.load("run:narrow")

A run is a folder: run.json (its plan), curve.jsonl, checkpoint.safetensors, and at the end model.safetensors and
card.json. Whatever ends a process, at most the steps since the last checkpoint are made again.
"""

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from vlmlens.errors import UserError
from vlmlens.lab.draw import render_batch
from vlmlens.lab.evaluate import AnswerMany, evaluate, novel_accuracy
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.scenes import HELD_OUT_PAIRS, Scene
from vlmlens.lab.text import encode
from vlmlens.lab.training.build import build, effective, trainable_share
from vlmlens.lab.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, write
from vlmlens.lab.training.curve import Curve, Pen, cut, read
from vlmlens.lab.training.lock import is_locked, locked
from vlmlens.lab.training.loop import Point, Trainer, train
from vlmlens.lab.training.plan import Plan
from vlmlens.progress import Progress
from vlmlens.threads import one_thread

PREFIX = "run:"
INTERVAL = 25  # steps between two checkpoints, and the most that is ever lost
QUESTIONS = 2000  # of the held-out evaluation, as many as the shipped models' cards have
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")

State = Literal["new", "training", "stopped", "finished"]


class RunError(UserError):
    """A run cannot be made, found or trained; says why, and what would do."""


def home() -> Path:
    """The folder of all runs: $VLMLENS_RUNS, or a folder of the person's own data."""
    if named := os.environ.get("VLMLENS_RUNS"):
        return Path(named).expanduser()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "vlmlens" / "runs"


@dataclass(frozen=True)
class Run:
    """One run, as it lies on the disk. All but its plan is read anew whenever it is asked for."""

    name: str
    plan: Plan
    created: str  # UTC, ISO 8601
    folder: Path

    @property
    def model(self) -> str:
        """The name under which it loads when it is finished."""
        return PREFIX + self.name

    @property
    def state(self) -> State:
        if self.training:
            return "training"
        if self.finished:
            return "finished"
        return "stopped" if (self.folder / "checkpoint.safetensors").exists() else "new"

    @property
    def training(self) -> bool:
        """Whether some process or thread trains it at the moment."""
        return is_locked(self.folder / "lock")

    @property
    def finished(self) -> bool:
        return (self.folder / "card.json").exists() and (self.folder / "model.safetensors").exists()

    def curve(self) -> Curve:
        return read(self.folder / "curve.jsonl")

    def card(self) -> dict[str, Any] | None:
        """What was measured at the end; None before it."""
        try:
            found = json.loads((self.folder / "card.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) else None

    def train(self, progress: Progress | None = None, interval: int = INTERVAL) -> Iterator[Point]:
        """Every step that is left, from the last checkpoint on; then the model and its card are written.

        However the loop is left, between two steps what was reached is kept. A finished run has no steps left.

        Raises:
            RunError: somebody else trains it.
            CheckpointError: damaged, of another plan, or no room on the disk; what was saved before stays.
            Cancelled: by `progress`.
        """
        with locked(self.folder / "lock") as mine:
            if not mine:
                raise RunError(f"The run {self.name} is being trained already; watch it there, or stop it first.")
            if not self.finished:
                yield from self._train(progress, interval)

    def _train(self, progress: Progress | None, interval: int) -> Iterator[Point]:
        checkpoint = self.folder / "checkpoint.safetensors"
        trainer = load_checkpoint(checkpoint, self.plan) if checkpoint.exists() else Trainer(self.plan)
        cut(self.folder / "curve.jsonl", trainer.step)
        pen, kept = Pen(self.folder / "curve.jsonl"), trainer.step

        def keep() -> None:
            nonlocal kept
            if trainer.whole and trainer.step > kept:
                pen.settle()  # first: a checkpoint must not be ahead of the curve
                save_checkpoint(checkpoint, trainer)
                kept = trainer.step

        try:
            for point in train(self.plan, trainer, progress):
                pen.add(point)
                if point.step % interval == 0 or point.step == self.plan.steps:
                    keep()
                yield point
        except CheckpointError:
            raise
        except BaseException:  # whoever looked on has left, or stopped it
            keep()
            raise
        finally:
            with suppress(CheckpointError):
                pen.close()
        self._finish(trainer, progress)

    def _finish(self, trainer: Trainer, progress: Progress | None) -> None:
        """Write the model in half precision, and measure what was written."""
        state = {
            name: (value.half() if value.is_floating_point() else value).contiguous()
            for name, value in trainer.model.state_dict().items()
            if not (trainer.frozen and name.startswith(("vision.", "text.")))
        }
        write(self.folder / "model.safetensors", save(state))
        model = load_model(self)
        began = time.monotonic()
        answers = answering(model, progress)
        card = {
            "model": self.model,
            "seed": self.plan.seed,
            "plan": self.plan.to_dict(),
            "data": {
                "items": self.plan.pool,
                "prior": self.plan.prior,
                "split": "train (by hash of the arrangement; no test scene is among them)",
                "held_out_pairs": sorted(" ".join(pair) for pair in HELD_OUT_PAIRS),
            },
            "steps": self.plan.steps,
            "batch": self.plan.batch,
            "learning_rate": self.plan.rate_new,
            "trainable_share": round(trainable_share(self.plan), 5),
            "parameters": sum(p.numel() for p in model.parameters()),
            "seconds": round(trainer.seconds, 1),
            "held_out": evaluate(answers, n=QUESTIONS).to_dict(),
            "never_seen_pairs": novel_accuracy(answers, n=max(1, QUESTIONS // 2)),
            "seconds_of_measuring": round(time.monotonic() - began, 1),
        }
        write(self.folder / "card.json", (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())


def every() -> tuple[Run, ...]:
    """All runs, the newest first. What is no run is passed over."""
    found = []
    with suppress(OSError):
        for folder in home().iterdir():
            with suppress(UserError):
                found.append(open_run(folder.name))
    return tuple(sorted(found, key=lambda run: (run.created, run.name), reverse=True))


def damaged() -> dict[str, str]:
    """Runs that cannot be opened, by name, each with what is wrong; they can be deleted."""
    found = {}
    with suppress(OSError):
        for folder in sorted(home().iterdir()):
            if NAME.fullmatch(folder.name) and _taken(folder):
                try:
                    open_run(folder.name)
                except UserError as error:
                    found[folder.name] = str(error)
    return found


def open_run(name: str) -> Run:
    """Raises RunError where there is none of this name, or what is there is damaged."""
    name = name.removeprefix(PREFIX)
    folder = home() / name
    if not NAME.fullmatch(name) or not (folder / "run.json").exists():
        raise RunError(f"There is no run {name!r}; `vlmlens train --runs` lists those that there are.")
    try:
        found = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return Run(name, Plan.from_dict(found["plan"]), str(found["created"]), folder)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"The run {name} is damaged: its run.json cannot be read; delete the run.") from error


def start(name: str, plan: Plan) -> Run:
    """A new run; nothing is trained yet.

    Raises RunError for a name that is taken or is none, PlanError, or CheckpointError where nothing can be written.
    """
    folder = _free(name)
    effective(plan.check())  # as its remedies will have it
    run = Run(name, plan, datetime.now(UTC).isoformat(timespec="microseconds"), folder)
    told = {"plan": plan.to_dict(), "created": run.created}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock") as mine:
            if not mine or _taken(folder):
                raise RunError(f"There is a run {name} already; take another name, or delete it first.")
            write(folder / "run.json", (json.dumps(told, indent=1) + "\n").encode())
    except OSError as error:
        raise RunError(f"The run {name} cannot be made in {folder.parent}: {error.strerror or error}.") from error
    return run


def resume(name: str) -> Run:
    """A run that is not finished. Raises RunError where there is none, it is finished, or somebody trains it."""
    run = open_run(name)
    if run.training:
        raise RunError(f"The run {run.name} is being trained already; watch it there, or stop it first.")
    if run.finished:
        raise RunError(f"The run {run.name} is finished; start a new one to train longer.")
    return run


def rename(name: str, to: str) -> Run:
    """Raises RunError for a name that is taken or none, and for a run that is being trained."""
    run, folder = open_run(name), _free(to)
    with locked(run.folder / "lock") as mine:
        if not mine:
            raise RunError(f"The run {run.name} is being trained; stop it before it gets another name.")
        run.folder.rename(folder)
    return open_run(to)


def delete(name: str) -> None:
    """Also one that is damaged. Raises RunError where there is none, and for a run that is being trained."""
    name = name.removeprefix(PREFIX)
    folder = home() / name
    if not NAME.fullmatch(name) or not _taken(folder):
        raise RunError(f"There is no run {name!r}; `vlmlens train --runs` lists those that there are.")
    with locked(folder / "lock") as mine:
        if not mine:
            raise RunError(f"The run {name} is being trained; stop it before it is deleted.")
        shutil.rmtree(folder, ignore_errors=True)


def compare(names: Sequence[str]) -> dict[str, Curve]:
    """The curves of several runs."""
    return {run.name: run.curve() for run in map(open_run, names)}


def suggest(plan: Plan) -> str:
    """A name that is free: the wiring, the seed, and a number where that is taken."""
    name, number = f"{plan.wiring}-{plan.seed}", 1
    while _taken(home() / (free := name if number == 1 else f"{name}-{number}")):
        number += 1
    return free


def _free(name: str) -> Path:
    if not NAME.fullmatch(name):
        raise RunError(
            f"{name!r} is no name for a run; take up to 40 letters, digits, dots, dashes and underscores, the first a "
            "letter or a digit."
        )
    if _taken(home() / name):
        raise RunError(f"There is a run {name} already; take another name, or delete it first.")
    return home() / name


def _taken(folder: Path) -> bool:
    return (folder / "run.json").exists()


def load_model(run: Run) -> LabModel:
    """The trained model of a run, ready to answer. Raises RunError where it is not finished or damaged."""
    path = run.folder / "model.safetensors"
    if not path.exists():
        raise RunError(f"The run {run.name} has not finished; `vlmlens train --resume {run.name}` goes on with it.")
    model = build(run.plan)
    try:
        model.load_state_dict({**model.state_dict(), **{k: v.float() for k, v in load_file(path).items()}})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise RunError(f"The weights of the run {run.name} are damaged; train it anew.") from error
    return model.requires_grad_(False).eval()


def answering(model: LabModel, progress: Progress | None = None) -> AnswerMany:
    """Lets a model answer many questions, 250 at a time; the work can be cancelled between."""

    def answer_many(scenes: Sequence[Scene], questions: Sequence[str]) -> list[str]:
        found: list[str] = []
        torch.get_num_threads()  # see `Trainer.advance`
        for begin in range(0, len(scenes), 250):
            if progress is not None:
                progress.step(1.0, f"measuring on held-out questions, {begin} of {len(scenes)}")
            part = slice(begin, begin + 250)
            with torch.inference_mode(), one_thread("openmp"):
                logits = model(torch.from_numpy(render_batch(scenes[part])), encode(list(questions[part])))
            found += [ANSWERS[i] for i in logits.argmax(-1)]
        return found

    return answer_many
