"""How long a plan will take: from earlier runs like it, or else from a few steps tried now. An estimate."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace

from vlmlens.lab.runs import Run
from vlmlens.lab.training.data import BLOCK
from vlmlens.lab.training.loop import Trainer
from vlmlens.lab.training.plan import Plan
from vlmlens.progress import Progress
from vlmlens.ui.fusion.train import kept

TRIED = 4  # steps
WATCHING = 1.1  # what measuring on the way costs, at most
ENOUGH = 20  # steps of an earlier run


@dataclass(frozen=True)
class Pace:
    seconds: float  # a step
    block: float  # seconds for `BLOCK` new questions with their pictures
    source: str

    def total(self, plan: Plan) -> float:
        """Seconds of all steps of a plan."""
        new = min(plan.pool, plan.steps * plan.batch) / BLOCK
        return plan.steps * self.seconds * WATCHING + new * self.block


def like(plan: Plan) -> Plan:
    """What decides how long a step takes; the rest as it is by default."""
    same = {name: getattr(plan, name) for name in ("wiring", "positions", "width", "side", "latents", "batch")}
    learns = min(1e-4, plan.rate_pretrained)
    return Plan(**same, rate_pretrained=learns, remedies=plan.remedies)


def known(plan: Plan, runs: Iterable[Run]) -> Pace | None:
    """From the newest run like it on this machine's disk."""
    for run in runs:
        if like(run.plan) != like(plan):
            continue
        last = kept.curve(run).last
        if last is not None and last.step >= ENOUGH:
            # Its questions and its measurements are in its seconds; they are not counted again.
            return Pace(last.seconds / last.step / WATCHING, 0.0, f"from the run {run.name}")
    return None


def tried(plan: Plan, progress: Progress | None = None) -> Pace:
    """From a few steps, the first of which also draws its questions."""
    trainer = Trainer(replace(like(plan), steps=max(plan.steps, TRIED), pool=max(BLOCK, plan.batch)), every=0)
    taken = []
    for number in range(TRIED):
        if progress is not None:
            progress.step(number / TRIED, "trying a few steps")
        began = time.monotonic()
        trainer.advance()
        taken.append(time.monotonic() - began)
    step = min(taken[1:])
    blocks = -(-plan.batch // BLOCK)
    return Pace(step, max(0.0, taken[0] - step) / blocks, f"from {TRIED} steps tried on this machine")
