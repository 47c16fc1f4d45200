"""Integrated gradients (Sundararajan, Taly and Yan, ICML 2017) of the pixels, from the picture's mean colour."""

from captum.attr import IntegratedGradients

from vlmlens.attribution.case import Case, Map, by_cell, plain_fill, single
from vlmlens.progress import Progress

STEPS = 32


def integrated_gradients(case: Case, progress: Progress) -> Map:
    progress.step(0, "gradients along the path")
    eyes = case.eyes
    with case.computing():
        found, missing = IntegratedGradients(case.of_pixels).attribute(
            eyes.pixels,
            baselines=plain_fill(eyes),
            n_steps=STEPS,
            internal_batch_size=min(STEPS, case.vlm.variants_at_once),
            return_convergence_delta=True,
        )
    note = f"{STEPS} steps; the sum misses the change from the plain picture by {abs(float(missing)):.2g} nats."
    cells = by_cell(found, eyes.cells, case.trace.grid.cells)
    return single("integrated gradients", cells, f"nats of {case.explained()}", note=note)
