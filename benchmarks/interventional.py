"""Asking every question about every picture: ours against the same pairs one by one, and in plain batches; one thread.

Medians of interleaved runs; then the time until the decomposition of 32 x 16 on lab:concat stands, and its updates.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

import vlmlens
from vlmlens.information import decompose
from vlmlens.information.interventional import growing
from vlmlens.lab.draw import render
from vlmlens.lab.sample import crossed
from vlmlens.lab.scenes import Scene
from vlmlens.models import VLM

RUNS = 5


def ensemble() -> tuple[list[Scene], list[str]]:
    """32 scenes, and 16 questions of any kind, short and long."""
    scenes, questions, _ = crossed(0, 32)
    return scenes, [q.text for q in questions][:: len(questions) // 16][:16]


def ours(vlm: VLM) -> torch.Tensor:
    return torch.cat([logits for _, logits in vlm.crossed(*ensemble())], dim=1)[-1]


def in_batches(vlm: VLM) -> torch.Tensor:
    return torch.cat([logits for _, logits in VLM.crossed(vlm, *ensemble())], dim=1)[-1]


def one_by_one(vlm: VLM) -> torch.Tensor:
    scenes, questions = ensemble()
    rows = [[vlm.run(vlm.prepare(render(s), q), None)[0][0] for q in questions] for s in scenes]
    return torch.stack([torch.stack(row) for row in rows])


def atoms(logits: torch.Tensor) -> np.ndarray:
    pid = decompose(logits.double().softmax(-1).numpy(), 1e-7)
    return np.array([pid.unique_1, pid.unique_2, pid.redundant, pid.synergistic])


def main() -> None:
    torch.set_num_threads(1)
    contestants: dict[str, Callable[[VLM], torch.Tensor]] = {
        "ours": ours,
        "in plain batches": in_batches,
        "one by one": one_by_one,
    }
    for name in ("lab:llava", "lab:concat"):
        vlm = vlmlens.load(name)
        seconds: dict[str, list[float]] = {contestant: [] for contestant in contestants}
        found: dict[str, torch.Tensor] = {}
        for _ in range(RUNS):
            for contestant, ask in contestants.items():
                began = time.perf_counter()
                found[contestant] = ask(vlm)
                seconds[contestant].append(time.perf_counter() - began)
        best = statistics.median(seconds["ours"])
        apart = np.abs(atoms(found["ours"]) - atoms(found["one by one"])).max()
        print(f"{name}, 32 x 16, median of {RUNS}; atoms at most {apart:.1e} bit from one by one")
        for contestant, values in seconds.items():
            print(
                f"  {contestant:18} {statistics.median(values):7.3f} s   {statistics.median(values) / best:5.1f} x ours"
            )
    vlm = vlmlens.load("lab:concat")
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        updates = sum(1 for _ in growing(vlm, *ensemble()))
        times.append(time.perf_counter() - began)
    print(f"lab:concat, 32 x 16, decomposed as it fills: {statistics.median(times):.2f} s, {updates} updates")


if __name__ == "__main__":
    main()
