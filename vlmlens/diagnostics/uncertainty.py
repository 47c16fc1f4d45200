"""Test 6: does the picture leave the model no less certain?

Paired change in the probability of the most probable option, against each stand-in for "no picture", with a margin of
0.02. Means nothing where the answer does not depend on the picture. The donor mean is shown and does not decide: by
convexity the model is always surer than it.
"""

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.finding import Finding, Needs, Test, Verdict, extremes, item_evidence
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.standins import without_picture
from vlmlens.diagnostics.statistics import interval, mean_draws, mean_size, sign_flip

MARGIN = -0.02
NEVER_DECIDES = "donor mean"


def scores(bench: Bench, logs: np.ndarray) -> dict[str, float]:
    """Brier score (of all options) and log loss (bits) where truth is known; NaN where it nowhere is."""
    known = np.flatnonzero(bench.truth >= 0)
    if not len(known):
        return {"brier": float("nan"), "log_loss": float("nan")}
    chances, truth = np.exp(logs[known]), bench.truth[known]
    hit = np.zeros_like(chances)
    hit[np.arange(len(known)), truth] = 1
    surprise = -np.log2(np.maximum(chances[np.arange(len(known)), truth], 2.0**-20))
    return {"brier": float(((chances - hit) ** 2).sum(axis=1).mean()), "log_loss": float(surprise.mean())}


def measure(bench: Bench) -> Finding:
    picture = bench.items[:, 0]
    own, own_scores = np.exp(bench.clean).max(axis=1), scores(bench, bench.clean)
    stand_ins = without_picture(bench)
    changes = {name: own - np.exp(variants).max(axis=2).mean(axis=0) for name, variants in stand_ins.items()}
    gains = {
        name: {
            key: float(np.mean([scores(bench, variant)[key] for variant in variants])) - own_scores[key]
            for key in own_scores
        }
        for name, variants in stand_ins.items()
    }
    draws = {name: mean_draws(change, picture, bench.weights) for name, change in changes.items()}
    bounds = {name: interval(values) for name, values in draws.items()}
    deciding = [name for name in changes if name != NEVER_DECIDES]
    verdict: Verdict = "INCONCLUSIVE"
    if all(bounds[name][0] > MARGIN for name in deciding):
        verdict = "PASS"
    elif all(bounds[name][1] < MARGIN for name in deciding):
        verdict = "FAIL"
    mean = np.mean([changes[name] for name in deciding], axis=0)
    mean_of_draws = np.mean([draws[name] for name in deciding], axis=0)
    order = extremes(mean)
    shown = ", ".join(f"{name} {change.mean():+z.3f}" for name, change in changes.items())
    return Finding(
        verdict,
        float(mean.mean()),
        interval(mean_of_draws),
        len(mean),
        f"With the picture the model is {mean.mean():+z.3f} surer (against {shown}).",
        max(sign_flip(changes[name] - MARGIN, picture, bench.seed) for name in deciding),
        mean_of_draws,
        item_evidence(bench, order, surer=mean[order]),
        {
            "stand_ins": {n: {"surer": float(c.mean()), "interval": bounds[n], **gains[n]} for n, c in changes.items()},
            "by_item": mean,
        },
    )


def usable(probe: ProbeSet) -> int:
    return len(probe.items)


TEST = Test(
    "uncertainty",
    "Does the picture leave the model no less certain?",
    "probability of the most probable answer, with the picture minus without",
    "PASS: no more than 0.02 less certain against blank, noise and absent; FAIL: more than that against each. VACUOUS "
    "where the answer does not depend on the picture.",
    Needs(mean_size(0.05, 0.25), "that certainty changes by 0.05"),
    usable,
    measure,
    relies=True,
)
