"""Test 5: how many bits does the picture add to the true answer?

log2 p(true answer | picture, text) - log2 p(true answer | text), under each stand-in for "no picture". They are shown
together; where they disagree, the sign depends on the baseline and nothing is said.
"""

from math import log

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.finding import Finding, Needs, Test, Verdict, cannot_say, extremes, item_evidence
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.standins import without_picture
from vlmlens.diagnostics.statistics import interval, mean_draws, mean_size, sign_flip

MARGIN = 0.05  # bits
LEAST = -20.0  # log2 of a probability; below, one item would outweigh all


def measure(bench: Bench) -> Finding:
    items = np.flatnonzero(bench.truth >= 0)
    if not len(items):
        return cannot_say("No true answers are known; add a column answer.")
    truth, picture = bench.truth[items], bench.items[items, 0]

    def bits(logs: np.ndarray) -> np.ndarray:
        """Of the true answer, [item], from [item, option]."""
        return np.maximum(logs[items, truth] / log(2), LEAST)

    own = bits(bench.clean)
    gains = {
        name: own - np.mean([bits(variant) for variant in variants], axis=0)
        for name, variants in without_picture(bench).items()
    }
    draws = {name: mean_draws(gain, picture, bench.weights) for name, gain in gains.items()}
    bounds = {name: interval(values) for name, values in draws.items()}
    verdict: Verdict = "INCONCLUSIVE"
    if all(low > MARGIN for low, _ in bounds.values()):
        verdict = "PASS"
    elif all(high < MARGIN for _, high in bounds.values()):
        verdict = "FAIL"
    mean, mean_of_draws = np.mean(list(gains.values()), axis=0), np.mean(list(draws.values()), axis=0)
    order = extremes(mean)
    by_item = np.full(len(bench.items), np.nan)
    by_item[items] = mean
    shown = ", ".join(f"{name} {gain.mean():+z.2f}" for name, gain in gains.items())
    apart = " They disagree: the gain depends on what stands for no picture." if verdict == "INCONCLUSIVE" else ""
    return Finding(
        verdict,
        float(mean.mean()),
        interval(mean_of_draws),
        len(items),
        f"The picture adds {mean.mean():+z.2f} bit to the true answer (against {shown}).{apart}",
        max(sign_flip(gain - MARGIN, picture, bench.seed) for gain in gains.values()),
        mean_of_draws,
        item_evidence(bench, items[order], gain_bits=mean[order]),
        {
            "stand_ins": {n: {"gain": float(g.mean()), "interval": bounds[n]} for n, g in gains.items()},
            "by_item": by_item,
        },
    )


def usable(probe: ProbeSet) -> int:
    return len(probe.answers)


TEST = Test(
    "information",
    "Does the picture add to the true answer?",
    "bits, mean of the stand-ins for no picture",
    "PASS: more than 0.05 bit against every stand-in; FAIL: less against every one.",
    Needs(mean_size(0.3, 1.2), "0.3 bit"),
    usable,
    measure,
)
