"""Test 1: does the answer depend on which picture is shown?

Each item is asked again with up to eight donor pictures, of another true answer where truth is known. Its dependency is
the mean Jensen-Shannon divergence of the answers, in bits; it depends where that exceeds ten times the noise floor.
"""

from dataclasses import dataclass

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.finding import Finding, Needs, Test, Verdict, cannot_say, extremes, item_evidence
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.statistics import independent, interval, jensen_shannon, mean_draws, p_above, sign_test_size
from vlmlens.lab.evaluate import wilson

DONORS = 8
TIMES_NOISE = 10
MOST = 0.5  # of the items must depend
LITTLE = 0.01  # bits; a mean below this is no use of the picture
FEW = 0.05  # of the items may depend where nothing is used


@dataclass(frozen=True, eq=False)
class Donated:
    """Each item against its donors, [item]."""

    divergence: np.ndarray  # mean, bits
    same: np.ndarray  # share of donors with which the most probable answer is the same


def against_donors(bench: Bench, contexts: tuple[str, ...] = (), items: np.ndarray | None = None) -> Donated:
    """What other pictures do to each item's answer.

    Args:
        contexts: the text of each question, where it is not asked as it is.
        items: int, which; by default all.
    """
    chosen = np.arange(len(bench.items)) if items is None else items
    texts = contexts or bench.probe.questions
    rng = np.random.default_rng([23, bench.seed])
    everyone = np.arange(len(bench.probe.pictures))
    donors, owners = [], []
    truth = {(int(p), int(q)): int(t) for (p, q), t in zip(bench.items, bench.truth, strict=True)}
    for place, index in enumerate(chosen):
        picture, question = bench.items[index]
        # Crossed, so that a donor was itself asked; otherwise every other picture will do.
        among = np.flatnonzero(bench.probe.asked[:, question]) if bench.probe.is_crossed else everyone
        own = truth[int(picture), int(question)]
        other = [d for d in among if d != picture and (own < 0 or truth.get((int(d), int(question)), -1) != own)]
        taken = rng.permutation(other or [d for d in among if d != picture])[:DONORS]
        donors += taken.tolist()
        owners += [place] * len(taken)
    questions = bench.items[chosen, 1]
    pictures = [bench.probe.pictures[p] for p in bench.items[chosen, 0]]
    own_answers = bench.ask(pictures, [texts[q] for q in questions], questions)
    asked = questions[owners]
    others = bench.ask([bench.probe.pictures[d] for d in donors], [texts[q] for q in asked], asked)
    apart = jensen_shannon(np.exp(own_answers[owners]), np.exp(others))
    same = (own_answers[owners].argmax(axis=1) == others.argmax(axis=1)).astype(float)
    count = np.maximum(np.bincount(owners, minlength=len(chosen)), 1)
    means = (np.bincount(owners, values, minlength=len(chosen)) / count for values in (apart, same))
    return Donated(*means)


def depends(bench: Bench, found: np.ndarray) -> np.ndarray:
    """Which items' answers move by more than noise, bool [item]."""
    return found > TIMES_NOISE * bench.noise


def measure(bench: Bench) -> Finding:
    if len(bench.probe.pictures) < 2:
        return cannot_say("One picture alone has no donor; give more pictures.")
    donated = against_donors(bench)
    apart = donated.divergence
    moved = depends(bench, apart)
    picture = bench.items[:, 0]
    share = float(moved.mean())
    effective = independent(moved.astype(float), picture, bench.weights)
    low_share, high_share = wilson(share * effective, effective)
    draws = mean_draws(apart, picture, bench.weights)
    low, high = interval(draws)
    verdict: Verdict = "INCONCLUSIVE"
    if low_share > MOST and low > LITTLE:
        verdict = "PASS"
    elif high_share < FEW:
        verdict = "FAIL"
    order = extremes(apart)
    return Finding(
        verdict,
        float(apart.mean()),
        (low, high),
        len(apart),
        f"Another picture moves the answer to {share:.0%} of the items (95 % interval {low_share:.0%} to "
        f"{high_share:.0%}), by {apart.mean():.3f} bit on average.",
        p_above(draws, LITTLE),
        draws,
        item_evidence(bench, order, divergence_bits=apart[order]),
        {
            "share": share,
            "share_interval": [low_share, high_share],
            "noise_floor_bits": bench.noise,
            "same_answer": float(donated.same.mean()),
            "by_item": apart,
        },
    )


def usable(probe: ProbeSet) -> int:
    return len(probe.items) if len(probe.pictures) > 1 else 0


TEST = Test(
    "dependency",
    "Does the answer depend on the picture?",
    "bits of Jensen-Shannon divergence from donors' answers",
    "PASS: more than half of the items move by more than ten times the noise floor, and by more than 0.01 bit on "
    "average; FAIL: fewer than 5 % move.",
    Needs(sign_test_size(0.65), "that 65 % of the items move"),
    usable,
    measure,
)
