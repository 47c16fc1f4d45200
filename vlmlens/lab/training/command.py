"""`vlmlens train --wiring ...`: a plan from the command line, its run, and what is said of it on the way."""

import argparse
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from vlmlens.errors import UserError
from vlmlens.lab import runs
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.training.build import sizes, trainable_share
from vlmlens.lab.training.loop import Point
from vlmlens.lab.training.plan import Plan
from vlmlens.lab.training.watch import Measured
from vlmlens.progress import Cancelled, Progress

Tell = Callable[[str], None]


def run(options: argparse.Namespace, tell: Tell) -> dict[str, Any]:
    """Do what was asked. Returns what `--json` prints."""
    if options.names or options.all or options.card:
        raise UserError("Shipped models (lab:NAME, --all, --card) and runs (--wiring, --resume) are trained apart.")
    if sum((options.wiring is not None, options.resume is not None, options.runs)) > 1:
        raise UserError("Take one of --wiring, --resume and --runs.")
    if options.runs:
        return {"runs": [summary(run) for run in runs.every()]}
    if options.resume is not None:
        mine = runs.resume(options.resume)
    else:
        plan = plan_of(options)
        mine = runs.start(options.name or runs.suggest(plan), plan)
    train(mine, tell)
    return {"run": mine.name, "model": mine.model, "card": mine.card()}


def plan_of(options: argparse.Namespace) -> Plan:
    """Raises PlanError in one sentence."""
    named = {key.removeprefix("plan_"): value for key, value in vars(options).items() if key.startswith("plan_")}
    given = {field: value for field, value in named.items() if value is not None}
    if options.wiring in WIRINGS:
        given.setdefault("steps", WIRINGS[options.wiring].steps)
    mix = dict(pairs(options.mix.split(","), "--mix")) if options.mix else {}
    remedies = tuple(pairs(options.remedy, "--remedy"))
    return Plan(options.wiring, mix=mix, remedies=remedies, **given).check()


def pairs(texts: list[str], option: str) -> Iterator[tuple[str, float]]:
    """NAME=NUMBER, each."""
    for text in texts:
        name, _, number = text.partition("=")
        try:
            yield name.strip(), float(number)
        except ValueError as error:
            raise UserError(f"{option} takes NAME=NUMBER, not {text!r}.") from error


def train(mine: runs.Run, tell: Tell) -> None:
    """Train to the end. Ctrl-C ends between two steps, keeps what was reached and says how to go on."""
    counts = sizes(mine.plan)
    trained, total = (sum(part[i] for part in counts.values()) for i in (0, 1))
    tell(
        f"{mine.model}: {mine.plan.wiring}, {mine.plan.steps} steps; {trained:,} of {total:,} parameters are trained "
        f"({trainable_share(mine.plan):.0%})"
    )
    progress = Progress()
    try:
        with interruptible(progress):
            for point in mine.train(progress):
                if point.measured is not None:
                    tell(line(point, point.measured, mine.plan.steps))
            tell(f"{mine.name}: done")
    except Cancelled as error:
        reached = mine.curve().last
        raise UserError(
            f"Stopped at step {reached.step if reached else 0} of {mine.plan.steps}; "
            f"`vlmlens train --resume {mine.name}` goes on from there."
        ) from error
    card = mine.card() or {}
    held_out = card["held_out"]
    low, high = held_out["accuracy_interval"]
    tell(f"{mine.model}: accuracy {held_out['accuracy']:.3f} ({low:.3f} to {high:.3f}) on {held_out['n']} questions")


@contextmanager
def interruptible(progress: Progress) -> Iterator[None]:
    """Ctrl-C cancels the progress; a second one ends at once."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        progress.cancel()

    before = signal.getsignal(signal.SIGINT)
    try:
        signal.signal(signal.SIGINT, stop)
    except ValueError:  # only the main thread hears signals
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def line(point: Point, measured: Measured, steps: int) -> str:
    low, high = measured.interval
    share = "n/a" if measured.image_share is None else f"{measured.image_share:.2f}"
    return (
        f"step {point.step} of {steps}: loss {point.loss:.3f}, accuracy {measured.accuracy:.3f} ({low:.3f} to "
        f"{high:.3f}), blind {measured.blind:.3f}, image share by behavior {share}, {point.seconds:.0f} s"
    )


def summary(mine: runs.Run) -> dict[str, Any]:
    """One run in a list."""
    last, card = mine.curve().last, mine.card()
    return {
        "name": mine.name,
        "state": mine.state,
        "wiring": mine.plan.wiring,
        "step": last.step if last else 0,
        "steps": mine.plan.steps,
        "accuracy": card["held_out"]["accuracy"] if card else None,
        "created": mine.created,
        "plan": mine.plan.to_dict(),
    }


def table(found: list[dict[str, Any]]) -> str:
    """The list for people."""
    if not found:
        return "There are no runs yet; `vlmlens train --wiring gated` makes one."
    rows = []
    for row in found:
        accuracy = "" if row["accuracy"] is None else f"accuracy {row['accuracy']:.3f}"
        steps = f"{row['step']} of {row['steps']} steps"
        rows.append(f"{row['name']:24} {row['state']:9} {row['wiring']:14} {steps:22} {accuracy}".rstrip())
    return "\n".join(rows)
