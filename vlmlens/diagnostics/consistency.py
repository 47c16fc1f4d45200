"""Test 3: do picture and question have to come together, or does each add its own say?

Two numbers, over all pictures crossed with all questions that share a set of options.

*Joint part*: of the variance of the answers' log odds, the share that no sum of a picture's part and a question's part
makes (the residual of the additive projection; Hessel and Lee, EMNLP 2020).

*Explaining away*: I(picture; question | predicted answer), bits, exact for the crossed ensemble, in which picture and
question are independent: I(V;Y|T) - I(V;Y). It needs no permutation null: a blind model has exactly 0. With one answer
a pair, shuffling pairs within an answer leaves the plug-in estimate of a perfect model as it is, so that the null would
swallow the whole of it.

A model that merely adds, late, what each says can show explaining away and has no joint part; it must not pass.
"""

from dataclasses import dataclass

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.finding import Finding, Needs, Test, Verdict, cannot_say, extremes, item_evidence
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.statistics import entropy, interval, p_above

JOINT = 0.05  # of the variance
EXPLAINING = 0.01  # bits
FLAT = 1e-9  # variance of log odds below which nothing varies


@dataclass(frozen=True, eq=False)
class Sums:
    """Of one group of questions, in every resample of the pictures, [resample]."""

    residual: np.ndarray
    total: np.ndarray
    explaining: np.ndarray
    by_pair: np.ndarray  # squared residual of each pair, [picture, question]


def groups(probe: ProbeSet) -> list[list[int]]:
    """Questions that share their options, where there are at least two."""
    found: dict[frozenset[str], list[int]] = {}
    for question, options in enumerate(probe.options):
        found.setdefault(frozenset(options), []).append(question)
    return [questions for questions in found.values() if len(questions) > 1]


def sums(logs: np.ndarray, weights: np.ndarray) -> Sums:
    """Of log probabilities [picture, question, option] with pictures weighted [resample, picture]."""
    odds = logs - logs.mean(axis=2, keepdims=True)
    apart = odds - odds.mean(axis=1, keepdims=True)  # without what the picture says to every question
    many = weights.sum(axis=1)
    column = np.einsum("bm,mka->bka", weights, apart) / many[:, None, None]
    residual = weights @ (apart**2).sum(axis=(1, 2)) - many * (column**2).sum(axis=(1, 2))
    grand = np.einsum("bm,mka->ba", weights, odds) / (many * odds.shape[1])[:, None]
    total = weights @ (odds**2).sum(axis=(1, 2)) - many * odds.shape[1] * (grand**2).sum(axis=1)
    said = np.eye(logs.shape[2])[logs.argmax(axis=2)]  # [picture, question, option]
    to_question = np.einsum("bm,mka->bka", weights, said) / many[:, None, None]
    to_picture = entropy(said.mean(axis=1))
    explaining = entropy(to_question).mean(axis=1) - entropy(to_question.mean(axis=1)) + weights @ to_picture / many
    size = many * odds.shape[1] * odds.shape[2]
    return Sums(
        residual.clip(0) / size, total.clip(0) / size, explaining, ((apart - apart.mean(axis=0)) ** 2).sum(axis=2)
    )


def measure(bench: Bench) -> Finding:
    if not bench.probe.is_crossed:
        return cannot_say(
            "Pictures and questions are not crossed: on such data a model that never looks seems to join them. Ask "
            "every question of every picture."
        )
    together = groups(bench.probe)
    if not together:
        return cannot_say("No two questions share their options, so nothing is there to be joined.")
    pictures, questions = bench.probe.asked.shape
    table = bench.clean.reshape(pictures, questions, -1)
    weights = np.concatenate([np.ones((1, pictures)), bench.weights])  # the first is the set itself
    joint, total, explaining = (np.zeros(len(weights)) for _ in range(3))
    by_item = np.full((pictures, questions), np.nan)
    many = sum(map(len, together))
    for group in together:
        found = sums(table[:, group][:, :, bench.of_question[group[0]]], weights)
        joint += found.residual * len(group) / many
        total += found.total * len(group) / many
        explaining += found.explaining * len(group) / many
        by_item[:, group] = found.by_pair
    shares = np.divide(joint, total, out=np.zeros_like(joint), where=total > FLAT)
    # A resample holds fewer different pictures than the set, which lowers both a little: their mean is set right.
    draws, bits = (values[1:] - values[1:].mean() + values[0] for values in (shares, explaining))
    (low, high), (low_bits, high_bits) = interval(draws), interval(bits)
    verdict: Verdict = "INCONCLUSIVE"
    if low > JOINT and low_bits > EXPLAINING:
        verdict = "PASS"
    elif high < JOINT or high_bits < EXPLAINING:
        verdict = "FAIL"
    flat = by_item.ravel()
    asked = np.flatnonzero(~np.isnan(flat))
    order = asked[extremes(flat[asked])]
    return Finding(
        verdict,
        float(shares[0]),
        (low, high),
        pictures * many,
        f"{shares[0]:.0%} of what varies in the answers needs picture and question together; given the answer, they "
        f"tell {explaining[0]:.2f} bit of each other.",
        max(p_above(draws, JOINT), p_above(bits, EXPLAINING)),
        draws,
        item_evidence(bench, order, squared_residual=flat[order]),
        {"explaining_away_bits": float(explaining[0]), "explaining_away_interval": [low_bits, high_bits]},
    )


def usable(probe: ProbeSet) -> int:
    return len(probe.pictures) * sum(map(len, groups(probe))) if probe.is_crossed else 0


TEST = Test(
    "consistency",
    "Are picture and question read together?",
    "share of the answers' variance that is not additive",
    "PASS: more than 5 % is not additive, and more than 0.01 bit of explaining away; FAIL: less of either.",
    Needs(48, "that a tenth of what varies is joint"),
    usable,
    measure,
)
