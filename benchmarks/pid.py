"""What a decomposition costs: random tables, single and in stacks; medians, the contestants in turns.

Processor time, which what else the machine does disturbs less than the time on the wall; for stacks, which take all
cores, the time on the wall.

Rivals, each at its defaults, in a process of its own that is ended after 60 s: the same optimum as a convex program
(cvxpy with Clarabel, one matrix variable for each outcome, compiled before the clock starts) and dit's PID_BROJA.
"""

import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1", MKL_NUM_THREADS="1")  # before numpy reads them

import numpy as np

from vlmlens.information import decompose

SIZES = ((3, 3, 2), (8, 8, 10), (20, 20, 10))
TABLES = 7
STACK = 128  # tables, or as many as have 65,536 cells: of small ones 128 are done in a millisecond
PATIENCE = 60.0  # seconds
T = TypeVar("T")
Shape = tuple[int, int, int]
Solve = Callable[[np.ndarray], float]  # the redundant bits


def cvxpy(shape: Shape) -> Solve:
    import cvxpy as cp

    rows, columns, labels = shape
    p1, p2 = cp.Parameter((rows, labels), nonneg=True), cp.Parameter((columns, labels), nonneg=True)
    q = [cp.Variable((rows, columns)) for _ in range(labels)]
    marginals = [cp.sum(q[y], axis=1) == p1[:, y] for y in range(labels)]
    marginals += [cp.sum(q[y], axis=0) == p2[:, y] for y in range(labels)]
    problem = cp.Problem(cp.Minimize(sum(cp.sum(cp.rel_entr(part, sum(q))) for part in q)), marginals)

    def solve(table: np.ndarray) -> float:
        p1.value, p2.value = table.sum(axis=1), table.sum(axis=0)
        union = float(problem.solve(solver=cp.CLARABEL)) / np.log(2) + _entropy(table.sum(axis=(0, 1)))
        return _information(p1.value) + _information(p2.value) - union

    solve(np.full(shape, 1 / np.prod(shape)))  # the first compiles
    return solve


def dit(shape: Shape) -> Solve:
    import dit

    def solve(table: np.ndarray) -> float:
        return float(dit.pid.PID_BROJA(dit.Distribution.from_ndarray(table)).get_pi(((0,), (1,))))

    return solve


RIVALS: dict[str, Callable[[Shape], Solve]] = {"cvxpy": cvxpy, "dit": dit}


class Rival:
    """One rival at one size, in another process."""

    def __init__(self, name: str, shape: Shape) -> None:
        context = multiprocessing.get_context("spawn")
        self._answers, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(name, shape, theirs), daemon=True)
        self._process.start()
        self.ready = self._answers.recv()

    def seconds(self, table: np.ndarray) -> tuple[float, float]:
        """How long it took, infinite after too long, and its redundant bits."""
        if not self.ready:
            return np.inf, np.nan
        self._answers.send(table)
        if self._answers.poll(PATIENCE):
            return self._answers.recv()
        self.close()
        return np.inf, np.nan

    def close(self) -> None:
        self.ready = False
        self._process.kill()


def _serve(name: str, shape: Shape, pipe: Connection) -> None:
    try:
        solve = RIVALS[name](shape)
    except ImportError:
        pipe.send(None)
        return
    pipe.send(True)
    while True:
        table = pipe.recv()
        pipe.send(clocked(lambda table=table: solve(table)))


def _entropy(p: np.ndarray) -> float:
    return -float((p[p > 0] * np.log2(p[p > 0])).sum())


def _information(p: np.ndarray) -> float:
    return _entropy(p.sum(axis=0)) + _entropy(p.sum(axis=1)) - _entropy(p)


def measured(shape: Shape) -> None:
    rng, count = np.random.default_rng(0), max(STACK, 2**16 // int(np.prod(shape)))
    tables = rng.dirichlet(np.ones(np.prod(shape)), size=TABLES).reshape(-1, *shape)
    rivals = {name: Rival(name, shape) for name in RIVALS}
    for name, rival in rivals.items():
        if rival.ready is None:
            print(f"  {name} is not installed: pip install {name}")
    own: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in rivals}
    apart: dict[str, list[float]] = {name: [] for name in rivals}
    stacked: list[float] = []
    for table in tables:
        for name, rival in rivals.items():
            seconds, redundant = rival.seconds(table)
            times[name].append(seconds)
            if np.isfinite(seconds):
                apart[name].append(abs(redundant - decompose(table).redundant))
        stack = rng.dirichlet(np.ones(np.prod(shape)), size=count).reshape(-1, *shape)
        own.append(clocked(lambda table=table: decompose(table))[0])
        stacked.append(clocked(lambda stack=stack: decompose(stack, tol=1e-3), time.perf_counter)[0] / count)
    single, each = statistics.median(own), statistics.median(stacked)
    medians = {name: statistics.median(values) for name, values in times.items()}
    best = min(medians.values())
    print(f"  ours, one table, gap 1e-6 {1000 * single:11.3f} ms")
    for name, rival in rivals.items():
        if np.isfinite(medians[name]):
            far = f"{statistics.median(apart[name]):.0e} bit from ours, at most {max(apart[name]):.0e}"
            print(f"  {name:25} {1000 * medians[name]:11.3f} ms {medians[name] / single:7.0f} x   {far}")
        elif rival.ready is not None:
            print(f"  {name:25} {f'> {PATIENCE:.0f} s':>14}")
        rival.close()
    ratio = f"{best / each:7.0f} x   against the best rival's single" if np.isfinite(best) else ""
    print(f"  ours, in a stack, gap 1e-3{1000 * each:11.4f} ms {ratio}; {count} tables, {1 / each:.0f} tables a second")


def clocked(call: Callable[[], T], clock: Callable[[], float] = time.process_time) -> tuple[float, T]:
    """Seconds of processor time, and the answer; of a call under a second the second, which finds its data near."""
    for _ in range(2):
        began = clock()
        answer = call()
        seconds = clock() - began
        if seconds > 1:
            break
    return seconds, answer


def various(seed: int) -> np.ndarray:
    """Dense, sparse, deterministic or counted, up to 32 x 32 x 30."""
    rng = np.random.default_rng(seed)
    shape = (*rng.integers(2, 33, 2), rng.integers(2, 31))
    cells = int(np.prod(shape))
    if seed % 4 == 0:
        return rng.dirichlet(np.full(cells, 0.5)).reshape(shape)
    if seed % 4 == 1:
        return rng.dirichlet(np.full(cells, 0.05)).reshape(shape) * (rng.random(shape) < 0.3) + 1e-300
    if seed % 4 == 2:
        return np.eye(shape[2])[rng.integers(0, shape[2], shape[:2])] * rng.random(shape[:2])[..., None]
    return rng.multinomial(2000, rng.dirichlet(np.ones(cells))).reshape(shape).astype(float)


def main() -> None:
    began = time.perf_counter()
    decompose(np.ones((2, 2, 2)))
    first = time.perf_counter() - began
    print(f"the first decomposition, with what it imports, and compiles unless that was done before: {first:.1f} s")
    for shape in SIZES:
        print(f"{' x '.join(map(str, shape))}, median of {TABLES}")
        measured(shape)
    seconds: list[float] = []
    gaps: list[float] = []
    for seed in range(200):
        table = various(seed)
        taken, pid = clocked(lambda table=table: decompose(table))
        seconds.append(taken)
        gaps.append(pid.gap)
    solved = np.sum(np.array(gaps) <= 1e-6)
    print(f"200 tables up to 32 x 32 x 30: {solved} to a gap of 1e-6, the largest {max(gaps):.1e};")
    print(f"  median {1000 * statistics.median(seconds):.1f} ms, at most {1000 * max(seconds):.0f} ms")


if __name__ == "__main__":
    main()
