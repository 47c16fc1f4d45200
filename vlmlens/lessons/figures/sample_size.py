"""How many bits are counted where there are none? Plug-in estimates against how many samples they rest on."""

import numpy as np

from vlmlens import charts
from vlmlens.charts import Curve
from vlmlens.information import TRUTHS, decompose, estimate
from vlmlens.lab.cards import half_width
from vlmlens.lessons.figures.figure import Amount, Choice, LessonFigure, Load, Settings, Shown
from vlmlens.progress import Progress

STATES = 4
SIZES = (50, 100, 200, 500, 1000, 2000)
SEEDS = 8
TOLERANCE = 1e-3  # bits
STATUS = {"shown": "given with an interval", "bracket": "a bracket only", "refused": "refused"}


def drawn(joint: np.ndarray, n: int, seed: int) -> np.ndarray:
    """n samples of a table, [sample, (x1, x2, y)]."""
    rng = np.random.default_rng([29, n, seed])
    flat = rng.choice(joint.size, size=n, p=joint.ravel())
    return np.stack(np.unravel_index(flat, joint.shape), axis=1)


def counted(samples: np.ndarray, states: int) -> np.ndarray:
    table = np.zeros((states,) * 3)
    np.add.at(table, tuple(samples.T), 1.0)
    return table / len(samples)


def run(settings: Settings, load: Load, progress: Progress) -> Shown:
    name, n = str(settings["truth"]), int(settings["n"])
    joint = TRUTHS[name].joint(STATES)
    truth = max(0.0, float(decompose(joint, TOLERANCE).synergistic))
    sizes = tuple(sorted({*SIZES, n}))
    means, halves, at_n = [], [], np.zeros(SEEDS)
    for size in progress.over(sizes, len(sizes), "number of samples"):
        tables = np.stack([counted(drawn(joint, size, seed), STATES) for seed in range(SEEDS)])
        found = np.atleast_1d(decompose(tables, TOLERANCE).synergistic)
        means.append(float(found.mean()))
        halves.append(half_width(found))
        if size == n:
            at_n = found
    samples = drawn(joint, n, 0)
    corrected = estimate(samples[:, 0], samples[:, 1], samples[:, 2])["synergistic"]
    plug_in = means[sizes.index(n)]
    half = halves[sizes.index(n)]
    said = (
        f"{corrected.value:.2f} ({corrected.low:.2f} to {corrected.high:.2f})"
        if corrected.status != "refused"
        else "refused: too few samples"
    )
    return Shown(
        f"True synergy: {truth:.2f} bits. Counted from {n} samples: {plug_in:.2f} bits (95 % interval of the mean over "
        f"{SEEDS} draws {plug_in - half:.2f} to {plug_in + half:.2f}). Corrected, from one draw: {said}.",
        {
            "truth": truth,
            "plug_in": plug_in,
            "plug_in_low": plug_in - half,
            "plug_in_high": plug_in + half,
            "least": float(at_n.min()),
            "most": float(at_n.max()),
            "bias": plug_in - truth,
            "plug_in_large": means[-1],
            "largest": float(sizes[-1]),
            "corrected": corrected.value,
            "corrected_low": corrected.low,
            "corrected_high": corrected.high,
            "refused": float(corrected.status == "refused"),
            "n": float(n),
            "cells": float(joint.size),
            "status": STATUS[corrected.status],
        },
        charts.dial_curves(
            sizes,
            [
                Curve(
                    "synergy as counted (plug-in)",
                    means,
                    [m - h for m, h in zip(means, halves, strict=True)],
                    [m + h for m, h in zip(means, halves, strict=True)],
                    "after",
                )
            ],
            "samples",
            "bits",
            end=None,
            log=True,
            lines={"the truth": truth},
        ),
        table=tuple(
            {"samples": size, "bits as counted": round(mean, 3), "true bits": round(truth, 3)}
            for size, mean in zip(sizes, means, strict=True)
        ),
    )


FIGURE = LessonFigure(
    "sample_size",
    "bits of synergy counted from few samples, against the truth",
    (
        Choice("truth", "What is true", tuple(TRUTHS), "independent"),
        Amount("n", "Samples", 50, 2000, 50, 100),
    ),
    {
        "truth": "the true synergy, bits",
        "plug_in": "synergy as counted from n samples, bits, mean over draws",
        "plug_in_low": "lower end of its 95 % interval over draws",
        "plug_in_high": "upper end of it",
        "least": "the least of the draws",
        "most": "the most of them",
        "bias": "plug_in less the truth",
        "plug_in_large": "synergy as counted from the most samples",
        "largest": "how many those are",
        "corrected": "the jackknife's estimate from one draw; n/a where it refuses",
        "corrected_low": "lower end of its 95 % interval",
        "corrected_high": "upper end of it",
        "refused": "1 where the estimate refuses to answer, else 0",
        "n": "samples",
        "cells": "cells of the table that the samples fall into",
        "status": "whether the corrected estimate is given, a bracket or refused, in words",
    },
    f"Samples are drawn from a known table of {STATES} x {STATES} x {STATES} cells. *Plug-in*: the counts are taken "
    f"for "
    f"the probabilities; mean of {SEEDS} draws with a Student interval. *Corrected*: delete-a-tenth jackknife, which "
    "refuses where the table has too few samples a cell. Chance fills cells of a sparse table unevenly, and an uneven "
    "table looks like information, synergy above all. *It cannot tell* how many samples another table needs.",
    run,
)
