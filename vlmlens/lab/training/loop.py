"""The loop: one plan, one seed, one step after the other, the same weights every time.

    for point in train(plan):
        point.step, point.loss, point.measured

What a step does is a pure function of the plan, the step and the weights before it: batches are drawn and dropout is
rolled by seed and step. So a run that is taken up from a checkpoint goes on as if it had never stopped.
"""

import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vlmlens.errors import UserError
from vlmlens.lab.model import averaged
from vlmlens.lab.questions import all_questions
from vlmlens.lab.sites import sites_of
from vlmlens.lab.text import PAD, encode
from vlmlens.lab.training.build import build, effective, grouped, remedies, seeded
from vlmlens.lab.training.data import Batch, batch
from vlmlens.lab.training.plan import Plan
from vlmlens.lab.training.schedule import highest, rates
from vlmlens.lab.training.watch import Gradients, Measured, Watcher, interval_of
from vlmlens.progress import Progress
from vlmlens.threads import one_thread
from vlmlens.trace.capture import Recorder, recording

if TYPE_CHECKING:
    from vlmlens.lab.pitfalls import Remedy


class Diverged(UserError):
    """The loss is no number any more."""


@dataclass(frozen=True)
class Point:
    """One step of a run."""

    step: int  # from 1
    loss: float  # cross-entropy of the batch, nats
    seconds: float  # of training so far, pauses left out
    added: float = 0.0  # to the loss, by remedies
    measured: Measured | None = None


def train(plan: Plan, start: "Trainer | None" = None, progress: Progress | None = None) -> Iterator[Point]:
    """All steps of a plan that are left; every now and then a point has been measured (see `interval_of`).

    Raises Cancelled between two steps, where `progress` says so; `start` then stands where it came to.
    """
    trainer = start or Trainer(plan)
    while trainer.step < trainer.plan.steps:
        if progress is not None:
            progress.step(trainer.step / trainer.plan.steps, f"step {trainer.step + 1} of {trainer.plan.steps}")
        yield trainer.advance(progress)


class Trainer:
    """A model on its way through a plan."""

    def __init__(self, plan: Plan, every: int | None = None) -> None:
        """`every` how many steps it is measured; None: as `interval_of` finds, 0: never."""
        self.plan = plan.check()
        self.how = effective(plan)
        self.every = interval_of(plan) if every is None else every
        self.model = build(plan).train()
        self.frozen = self.how.rate_pretrained == 0
        self.step, self.seconds = 0, 0.0
        self.whole = True  # not in the middle of changing its weights
        self.cures: list[tuple[Remedy, float]] = [(remedies()[name], strength) for name, strength in plan.remedies]
        self.ids = encode([question.text for question in all_questions()])
        with torch.no_grad():
            self.words = self.model.text(self.ids)
        self.watcher = Watcher(self.model, self.frozen)
        top = highest(self.how)
        self.optimiser = torch.optim.AdamW(
            [
                {"params": trained, "lr": top[group], "group": group}
                for group, found in grouped(self.model).items()
                if (trained := [p for p in found.values() if p.requires_grad])
            ],
            weight_decay=self.how.decay,
        )

    @property
    def trained(self) -> dict[str, nn.Parameter]:
        """What learns, by name."""
        return {name: p for name, p in self.model.named_parameters() if p.requires_grad}

    def advance(self, progress: Progress | None = None) -> Point:
        """One step. Raises Diverged before it would spoil the weights."""
        torch.get_num_threads()  # torch sets a new thread up at its first use, and would undo a limit set before
        began = time.monotonic()
        with one_thread("openmp"):
            data = batch(self.how, self.step, pixels=not self.frozen, progress=progress)
            # The dice belong to all threads; only remedies roll them.
            with seeded(self.plan.seed, 2, self.step) if self.cures else nullcontext():
                loss, added = self.losses(data, progress)
            self.optimiser.zero_grad()
            (loss + added).backward()
            due = self.every > 0 and ((self.step + 1) % self.every == 0 or self.step + 1 == self.plan.steps)
            gradients = Gradients.of(self.model) if due else None
            length = nn.utils.clip_grad_norm_(self.trained.values(), self.how.clip)
            if not bool(torch.isfinite(loss + added) & torch.isfinite(length)):
                raise Diverged(
                    f"At step {self.step + 1} the loss or its gradient is no number any more; "
                    "lower the learning rates or the clipping."
                )
            now = rates(self.how, self.step)
            for group in self.optimiser.param_groups:
                group["lr"] = now[group["group"]]
            self.whole = False
            self.optimiser.step()
            self.step += 1
            self.whole = True
            measured = None if gradients is None else self.watcher.measure(gradients)
        self.seconds += time.monotonic() - began
        return Point(self.step, float(loss.detach()), self.seconds, float(added.detach()), measured)

    def losses(self, data: Batch, progress: Progress | None = None) -> tuple[Tensor, Tensor]:
        """Cross-entropy of a batch, and what remedies add to it."""
        ids = self.ids[data.question]
        if self.frozen:
            image, words = averaged(data.image.float(), self.how.side), self.words[data.question]
        else:
            image, words = self.model.see(data.image), self.model.text(ids)
        mask = ids != PAD
        attends = any(remedy.attends for remedy, _ in self.cures)
        recorder = Recorder(
            sites_of(self.model, image.shape[1], words.shape[1]) if attends else {}, np.zeros(0), {}, whole=attends
        )
        with recording(recorder):
            logits = self.model.fuse(image, words, mask)
        added = logits.new_zeros(())
        if any(remedy.loss is not None for remedy, _ in self.cures):
            from vlmlens.lab.pitfalls import Step

            attention = {name: flow.weights for name, flow in recorder.flows.items()}
            step = Step(self.model, image, words, mask, data.answer, logits, attention, progress)
            for remedy, strength in self.cures:
                if remedy.loss is not None:
                    added = added + remedy.loss(step, strength)
        return F.cross_entropy(logits, data.answer), added
