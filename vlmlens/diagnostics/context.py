"""Test 7: does the use of the picture survive a longer text?

Filler that says nothing is put before or after the question (taking turns), more and more of it. Followed are the
dependency on the picture (as in test 1), accuracy, and where attention is to be had the picture's share of it and its
rate. Decided by the slope of the dependency, relative to its value without filler, and by the slope of accuracy.
"""

from dataclasses import replace

import numpy as np

from vlmlens.attention import budget
from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.dependency import LITTLE, against_donors
from vlmlens.diagnostics.finding import Evidence, Finding, Needs, Test, Verdict, cannot_say, extremes
from vlmlens.diagnostics.phrasing import joined, phrasing_of, reads
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.statistics import interval, mean_draws, mean_size, p_above
from vlmlens.errors import UserError
from vlmlens.trace import Segment, Watch

MOST_PICTURES = 24
LOSS = -0.2  # of the dependency without filler, from no filler to the most
ACCURACY_LOSS = -0.1
WATCHED = 2  # items whose attention is looked at


def smaller(bench: Bench) -> Bench:
    """The same with fewer pictures."""
    probe, most = bench.probe, MOST_PICTURES
    return replace(
        bench,
        probe=replace(
            probe,
            pictures=probe.pictures[:most],
            asked=probe.asked[:most],
            answers={key: value for key, value in probe.answers.items() if key[0] < most},
            regions={},
        ),
    )


def attention(bench: Bench, texts: tuple[str, ...]) -> tuple[float, float]:
    """The picture's share of the answer's attention, and its rate, mean over layers; NaN where there is none."""
    shares, rates = [], []
    for index in range(0, len(bench.items), max(1, len(bench.items) // WATCHED))[:WATCHED]:
        picture, question = bench.items[index]
        try:
            trace = bench.vlm.inspect(
                bench.probe.pictures[picture], texts[question], watch=Watch(("last",), False), new_tokens=0
            )
            found = budget(trace)
        except UserError:
            return float("nan"), float("nan")
        if Segment.IMAGE in found.segments and found.competes.any():
            column = found.segments.index(Segment.IMAGE)
            shares.append(float(np.nanmean(found.share[found.competes, column])))
            rates.append(float(np.nanmean(found.rate[found.competes, column])))
    return (float(np.mean(shares)), float(np.mean(rates))) if shares else (float("nan"), float("nan"))


def slope(values: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """From the first length to the last, along the straight line through [..., length]."""
    x = (lengths - lengths.mean()) / (lengths.max() - lengths.min())
    found: np.ndarray = (values - values.mean(axis=-1, keepdims=True)) @ x / (x @ x)
    return found


def measure(whole: Bench) -> Finding:
    bench = smaller(whole)
    questions = bench.probe.questions
    phrasing = phrasing_of(bench.vlm, bench.probe.pictures[0], max(questions, key=lambda q: len(q.split())))
    if phrasing is None:
        return cannot_say(f"{bench.vlm.name} reads no text beside the question.")
    contexts = {
        length: tuple(joined(q, phrasing.filler(length), i % 2 == 0) for i, q in enumerate(questions))
        for length in phrasing.lengths
    }
    first = bench.probe.pictures[0]
    contexts = {n: texts for n, texts in contexts.items() if all(reads(bench.vlm, first, text) for text in texts)}
    if len(contexts) < 3:
        return cannot_say(f"{bench.vlm.name} reads too little text for a growing one.")
    lengths = np.array(list(contexts), float)
    picture, question = bench.items.T
    known = bench.truth >= 0
    used, right, shares, rates = [], [], [], []
    for texts in contexts.values():
        used.append(against_donors(bench, texts).divergence)
        shown = [bench.probe.pictures[p] for p in picture]
        said = bench.ask(shown, [texts[q] for q in question], question).argmax(axis=1)
        right.append(said == bench.truth)
        share, rate = attention(bench, texts)
        shares.append(share)
        rates.append(rate)
    means = np.array([values.mean() for values in used])
    if means[0] < LITTLE:
        return cannot_say("Without filler the answer hardly depends on the picture; nothing can be lost.", 0, "VACUOUS")
    curves = np.stack([mean_draws(values, picture, bench.weights) for values in used], axis=1)  # [resample, length]
    relative = slope(curves / curves[:, :1], lengths)
    effect, (low, high) = float(slope(means / means[0], lengths)), interval(relative)
    accuracy: list[float] = []
    bounds = (float("nan"), float("nan"))
    passes, fails, p = low > LOSS, high < LOSS, p_above(relative, LOSS)
    if known.any():
        accuracy = [float(hits[known].mean()) for hits in right]
        hit_curves = [mean_draws(hits[known].astype(float), picture[known], bench.weights) for hits in right]
        falls = slope(np.stack(hit_curves, axis=1), lengths)
        bounds = interval(falls)
        passes, fails = passes and bounds[0] > ACCURACY_LOSS, fails or bounds[1] < ACCURACY_LOSS
        p = max(p, p_above(falls, ACCURACY_LOSS))
    verdict: Verdict = "PASS" if passes else "FAIL" if fails else "INCONCLUSIVE"
    lost = used[0] - used[-1]
    last = list(contexts.values())[-1]
    evidence = tuple(
        Evidence(
            int(picture[i]),
            int(question[i]),
            last[question[i]],
            bench.probe.vocabulary[int(said[i])],
            bench.probe.vocabulary[bench.truth[i]] if known[i] else "",
            {"without_filler_bits": float(used[0][i]), "with_filler_bits": float(used[-1][i])},
        )
        for i in extremes(lost)
    )
    told = f", accuracy from {accuracy[0]:.2f} to {accuracy[-1]:.2f}" if accuracy else ""
    return Finding(
        verdict,
        effect,
        (low, high),
        len(picture),
        f"From no filler to {int(lengths[-1])} words the picture's effect goes from {means[0]:.3f} to {means[-1]:.3f} "
        f"bit{told}.",
        p,
        relative,
        evidence,
        {
            "phrasing": phrasing.name,
            "words": [int(n) for n in lengths],
            "dependency_bits": means.tolist(),
            "accuracy": accuracy,
            "accuracy_slope_interval": list(bounds),
            "image_share": shares,
            "image_rate": rates,
        },
    )


def usable(probe: ProbeSet) -> int:
    return int(probe.asked[:MOST_PICTURES].sum())


TEST = Test(
    "context",
    "Does the use of the picture survive a longer text?",
    "change of the dependency from no filler to the most, relative",
    "PASS: less than a fifth of the dependency and 0.1 of accuracy is lost; FAIL: more of either. VACUOUS where the "
    "answer does not depend on the picture.",
    Needs(mean_size(0.2, 0.6), "that a fifth is lost"),
    usable,
    measure,
    relies=True,
)
