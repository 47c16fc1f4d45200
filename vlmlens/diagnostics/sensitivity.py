"""Test 4: does hiding the place that carries the answer matter more than hiding as much elsewhere?

The divergence of the answer from the clean one, with the relevant region hidden, minus the same with an equal region
elsewhere hidden; three fills, which must agree; and the dose-response to hiding it in part.
"""

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.fills import FILLS, elsewhere, hide, in_pixels
from vlmlens.diagnostics.finding import Finding, Needs, Test, Verdict, cannot_say, extremes, item_evidence
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.statistics import interval, jensen_shannon, mean_draws, mean_size, sign_flip

MOST_ITEMS = 512
MARGIN = 0.01  # bits
DOSES = (1 / 3, 2 / 3)  # and 1, which is a fill of its own


def measure(bench: Bench) -> Finding:
    known = np.array([(int(p), int(q)) in bench.probe.regions for p, q in bench.items])
    if not known.any():
        return cannot_say("The probe set does not say where on its pictures the answers lie; add a column region.")
    chosen, regions, others = [], [], []
    rng = np.random.default_rng([31, bench.seed])
    for index in bench.sample(np.flatnonzero(known), MOST_ITEMS):
        picture, question = (int(part) for part in bench.items[index])
        region = in_pixels(bench.probe.regions[picture, question], bench.images[picture].size)
        if other := elsewhere(region, bench.images[picture].size, rng):
            chosen.append(index)
            regions.append(region)
            others.append(other)
    if not chosen:
        return cannot_say("The regions fill their pictures: no region of the same size fits elsewhere.")
    items = np.array(chosen)
    pictures, questions = bench.items[items].T
    donors = (pictures + rng.integers(1, max(2, len(bench.images)), len(items))) % len(bench.images)
    texts = [bench.probe.questions[q] for q in questions]

    def changed(fill: str, boxes: list, strength: float = 1.0) -> np.ndarray:
        """Divergence from the clean answer, [item]."""
        hidden = [
            hide(bench.images[p], box, fill, bench.images[d], strength)
            for p, d, box in zip(pictures, donors, boxes, strict=True)
        ]
        return jensen_shannon(np.exp(bench.clean[items]), np.exp(bench.ask(hidden, texts, questions)))

    here = {fill: changed(fill, regions) for fill in FILLS}
    there = {fill: changed(fill, others) for fill in FILLS}
    more = {fill: here[fill] - there[fill] for fill in FILLS}
    draws = {fill: mean_draws(values, pictures, bench.weights) for fill, values in more.items()}
    bounds = {fill: interval(values) for fill, values in draws.items()}
    verdict: Verdict = "INCONCLUSIVE"
    if all(low > MARGIN for low, _ in bounds.values()):
        verdict = "PASS"
    elif all(high < MARGIN for _, high in bounds.values()):
        verdict = "FAIL"
    first = FILLS[0]
    doses = [float(changed(first, regions, dose).mean()) for dose in DOSES] + [float(here[first].mean())]
    mean, mean_of_draws = np.mean(list(more.values()), axis=0), np.mean(list(draws.values()), axis=0)
    order = extremes(mean)
    by_item = np.full(len(bench.items), np.nan)
    by_item[items] = mean
    return Finding(
        verdict,
        float(mean.mean()),
        interval(mean_of_draws),
        len(items),
        f"Hiding the place of the answer moves it by {np.mean(list(here.values())):.3f} bit, as much elsewhere by "
        f"{np.mean(list(there.values())):.3f}.",
        max(sign_flip(values - MARGIN, pictures, bench.seed) for values in more.values()),
        mean_of_draws,
        item_evidence(bench, items[order], more_than_elsewhere_bits=mean[order]),
        {
            "fills": {
                fill: {
                    "here": float(here[fill].mean()),
                    "elsewhere": float(there[fill].mean()),
                    "interval": bounds[fill],
                }
                for fill in FILLS
            },
            "doses": dict(zip((0.0, *DOSES, 1.0), (0.0, *doses), strict=True)),
            "by_item": by_item,
        },
    )


def usable(probe: ProbeSet) -> int:
    return len(probe.regions)


TEST = Test(
    "sensitivity",
    "Does the answer hang on the place that carries it?",
    "bits of divergence, place of the answer minus elsewhere",
    "PASS: more than 0.01 bit with each of three fills; FAIL: less with each.",
    Needs(mean_size(0.1, 0.3), "0.1 bit more than elsewhere"),
    usable,
    measure,
)
