"""Test 2: where a hint in the text says otherwise, does the answer stay with the picture?

Items: those answered rightly without a hint, and for which the hint alone (on a blank picture) makes the model say what
it says. Then: is the picture's answer the more probable of the two when both are given? Options of the hint and its
place before or after the question take turns.
"""

from math import log

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.finding import Evidence, Finding, Needs, Test, cannot_say, extremes, judged
from vlmlens.diagnostics.phrasing import Phrasing, joined, phrasing_of, reads
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.standins import blank
from vlmlens.diagnostics.statistics import binomial_tail, interval, mean_draws, sign_test_size

FEWEST = sign_test_size(0.65)  # 69
MOST_ITEMS = 512
CHANCE = 0.5


def hints(bench: Bench, items: np.ndarray, phrasing: Phrasing) -> tuple[np.ndarray, list[str]]:
    """For each item a wrong option, int [item] (-1 where none can be hinted at), and the text with the hint."""
    vocabulary = bench.probe.vocabulary
    wrong, texts = np.full(len(items), -1), [""] * len(items)
    turn = np.zeros(len(bench.probe.questions), int)
    readable: dict[str, bool] = {}
    order = np.random.default_rng([29, bench.seed]).permutation(len(items))
    for place in order:  # in random order, so that an option's turn has nothing to do with the picture
        _, question = bench.items[items[place]]
        options = [vocabulary.index(option) for option in bench.probe.options[question]]
        options = [option for option in options if option != bench.truth[items[place]]]
        number = turn[question]
        turn[question] += 1
        option, after = options[number % len(options)], number // len(options) % 2 == 0
        hint = phrasing.hint(bench.probe.questions[question], vocabulary[option])
        text = joined(bench.probe.questions[question], hint, bool(after))
        if hint and text not in readable:
            readable[text] = reads(bench.vlm, bench.probe.pictures[0], text)
        if hint and readable[text]:
            wrong[place], texts[place] = option, text
    return wrong, texts


def measure(bench: Bench) -> Finding:
    right = bench.sample(np.flatnonzero(bench.right), MOST_ITEMS)
    if not len(right):
        known = (bench.truth >= 0).any()
        return cannot_say("No item is answered rightly." if known else "No true answers are known.")
    phrasing = phrasing_of(bench.vlm, bench.probe.pictures[0], bench.probe.questions[int(bench.items[0, 1])])
    if phrasing is None:
        return cannot_say(f"{bench.vlm.name} reads no text beside the question, so no hint can mislead it.")
    wrong, texts = hints(bench, right, phrasing)
    if not (wrong >= 0).any():
        return cannot_say(f"{bench.vlm.name} can read none of these hints, so nothing can mislead it.")
    hinted = right[wrong >= 0]
    texts = [text for text in texts if text]
    wrong = wrong[wrong >= 0]
    questions = bench.items[hinted, 1]
    alone = bench.ask([blank(bench)] * len(texts), texts, questions)
    follows = alone.argmax(axis=1) == wrong
    kept, told, misled = hinted[follows], wrong[follows], [t for t, f in zip(texts, follows, strict=True) if f]
    if len(kept) < FEWEST:
        return cannot_say(
            f"The hint alone decides {len(kept)} of {len(hinted)} items that are answered rightly without it; "
            f"{FEWEST} are needed to see what the picture does against it.",
            len(kept),
        )
    questions, picture = bench.items[kept, 1], bench.items[kept, 0]
    both = bench.ask([bench.probe.pictures[p] for p in picture], misled, questions)
    rows = np.arange(len(kept))
    margin = (both[rows, bench.truth[kept]] - both[rows, told]) / log(2)  # bits
    stays = (margin > 0).astype(float)
    draws = mean_draws(stays, picture, bench.weights)
    low, high = interval(draws)
    vocabulary = bench.probe.vocabulary
    evidence = tuple(
        Evidence(
            int(picture[i]),
            int(questions[i]),
            misled[i],
            vocabulary[int(both[i].argmax())],
            vocabulary[int(bench.truth[kept[i]])],
            {"hint": vocabulary[int(told[i])], "picture_over_hint_bits": float(margin[i])},
        )
        for i in extremes(margin)
    )
    by_item = np.full(len(bench.items), np.nan)
    by_item[kept] = stays
    return Finding(
        judged(low, high, CHANCE, CHANCE),
        float(stays.mean()),
        (low, high),
        len(kept),
        f"Against a hint that says otherwise the picture wins {stays.mean():.0%} of {len(kept)} items.",
        binomial_tail(len(kept), int(stays.sum())),
        draws,
        evidence,
        {"phrasing": phrasing.name, "offered": len(hinted), "margin_bits": float(margin.mean()), "by_item": by_item},
    )


def usable(probe: ProbeSet) -> int:
    return len(probe.answers)


TEST = Test(
    "override",
    "Does the picture win where the text says otherwise?",
    "share of misled items that stay with the picture",
    "PASS: more than half of the items stay with the picture; FAIL: fewer than half; at least 69 items.",
    Needs(FEWEST, "that 65 % stay with the picture"),
    usable,
    measure,
)
