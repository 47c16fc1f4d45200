"""How soon does training stop when a person asks, and what does watching it cost?

python benchmarks/training.py    # prints two tables; some eight minutes of one core, and nothing else should run

Stopping: a run is trained as the app does, in a thread, and told to stop at random moments; the seconds until its
checkpoint is written and the thread has ended, beside the seconds that one step takes.
Watching: the same steps with the measurements that a run makes of itself, against none: the ratio of the times.
"""

import argparse
import os
import statistics
import tempfile
import threading
import time
from contextlib import suppress

import numpy as np
import torch

from vlmlens.lab import runs
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.training.loop import Point, Trainer
from vlmlens.lab.training.plan import Plan
from vlmlens.progress import Cancelled, Progress

MOMENTS = 8
LONGEST = 6.0  # seconds until it is told to stop
STEPS = 100  # of a short run, the dearest to watch
ROUNDS = 3


def stopped(run: runs.Run, after: float) -> float:
    """Seconds from the word to the end, of a run that was trained for so many seconds."""
    progress = Progress()

    def work() -> None:
        with suppress(Cancelled):
            for _ in run.train(progress):
                pass

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(after)
    told = time.monotonic()
    progress.cancel()
    thread.join()
    return time.monotonic() - told


def stopping(wiring: str, rng: np.random.Generator) -> str:
    run = runs.start(f"stopping-{wiring}", Plan(wiring))
    pace = statistics.median(np.diff([point.seconds for point in first(run, 12)]))
    taken = sorted(stopped(run, float(rng.uniform(0.1, LONGEST))) for _ in range(MOMENTS))
    return f"| {wiring} | {pace:.2f} | {statistics.median(taken):.2f} | {taken[-1]:.2f} |"


def first(run: runs.Run, count: int) -> list[Point]:
    steps = run.train()
    found = [next(steps) for _ in range(count)]
    steps.close()  # type: ignore[attr-defined]
    return found


def watching(wiring: str) -> str:
    plan = Plan(wiring, steps=STEPS)

    def seconds(every: int | None) -> float:
        trainer = Trainer(plan, every)
        while trainer.step < STEPS:
            trainer.advance()
        return trainer.seconds

    seconds(0)  # draws the items
    ratios = sorted(seconds(None) / seconds(0) for _ in range(ROUNDS))
    return f"| {wiring} | {statistics.median(ratios):.2f} | {ratios[0]:.2f} to {ratios[-1]:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--wirings", nargs="+", choices=list(WIRINGS), default=list(WIRINGS))
    wirings = parser.parse_args().wirings
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["VLMLENS_RUNS"] = folder
        print(f"\n| wiring | s a step | s to stop, median of {MOMENTS} | longest |\n| --- | --- | --- | --- |")
        for wiring in wirings:
            print(stopping(wiring, rng), flush=True)
    print(f"\n| wiring | time watched / unwatched, {STEPS} steps | of {ROUNDS} |\n| --- | --- | --- |")
    for wiring in wirings:
        print(watching(wiring), flush=True)


if __name__ == "__main__":
    main()
