"""Test 2: where the text says otherwise, does the answer stay with the picture?

Every question gets a hint at a wrong option. What the text then says is what it makes the model say of a blank picture;
where that is not the true answer, picture and text disagree. Items are those of them that are answered rightly without
the hint: with it, is the true answer the more probable of the two? Options of the hint and its place before or after
the question take turns.

A model that says what the words say even without a hint leaves no such items. It fails, if it does so nearly always.
"""

from math import log
from typing import Any

import numpy as np

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.finding import Evidence, Finding, Needs, Test, cannot_say, extremes, judged
from vlmlens.diagnostics.following import follows
from vlmlens.diagnostics.phrasing import Phrasing, joined, phrasing_of, reads
from vlmlens.diagnostics.probe import ProbeSet
from vlmlens.diagnostics.standins import blank
from vlmlens.diagnostics.statistics import binomial_tail, interval, mean_draws, sign_test_size

FEWEST = sign_test_size(0.65)  # 69
MOST_ITEMS = 768
CHANCE = 0.5
NEARLY_ALWAYS = 0.95


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
    known = bench.sample(np.flatnonzero(bench.truth >= 0), MOST_ITEMS)
    if not len(known):
        return cannot_say("No true answers are known; add a column answer.")
    phrasing = phrasing_of(bench.vlm, bench.probe.pictures[0], bench.probe.questions[int(bench.items[0, 1])])
    if phrasing is None:
        return cannot_say(f"{bench.vlm.name} reads no text beside the question, so no hint can mislead it.")
    wrong, texts = hints(bench, known, phrasing)
    if not (wrong >= 0).any():
        return cannot_say(f"{bench.vlm.name} can read none of these hints, so nothing can mislead it.")
    hinted, wrong, texts = known[wrong >= 0], wrong[wrong >= 0], [text for text in texts if text]
    says = bench.ask([blank(bench)] * len(texts), texts, bench.items[hinted, 1]).argmax(axis=1)
    conflict = says != bench.truth[hinted]
    items, says, wrong = hinted[conflict], says[conflict], wrong[conflict]
    texts = [text for text, apart in zip(texts, conflict, strict=True) if apart]
    if not len(items):
        return cannot_say("The text alone never says anything but the true answer.")
    picture, questions = bench.items[items].T
    both = bench.ask([bench.probe.pictures[p] for p in picture], texts, questions)
    rows = np.arange(len(items))
    margin = (both[rows, bench.truth[items]] - both[rows, says]) / log(2)  # bits
    stays = (margin > 0).astype(float)
    by_item = np.full(len(bench.items), np.nan)
    right = bench.right[items]
    by_item[items[right]] = stays[right]
    worded = (bench.clean[items].argmax(axis=1) == says).astype(float)
    details: dict[str, Any] = {
        "phrasing": phrasing.name,
        "disagreeing": len(items),
        "hint_followed": float((says == wrong).mean()),
        "words_without_hint": float(worded.mean()),
        "by_item": by_item,
    }
    chosen, told = right, ""
    if right.sum() < FEWEST:
        bound = interval(mean_draws(worded, picture, bench.weights))[0]
        if len(items) < FEWEST or bound < NEARLY_ALWAYS:
            return cannot_say(
                f"Picture and text disagree on {len(items)} items; {int(right.sum())} of them are answered rightly "
                f"without the hint, and {FEWEST} are needed.",
                int(right.sum()),
                **details,
            )
        chosen, told = np.ones(len(items), bool), " It says what the words say without a hint, too."
    elif follows(bench) is False:
        return cannot_say(
            "It is right no more often with an item's own picture than with another, so that what it stays with is no "
            "answer of the picture's.",
            int(right.sum()),
            **details,
        )
    draws = mean_draws(stays[chosen], picture[chosen], bench.weights)
    low, high = interval(draws)
    n, share = int(chosen.sum()), float(stays[chosen].mean())
    vocabulary = bench.probe.vocabulary
    places = np.flatnonzero(chosen)
    evidence = tuple(
        Evidence(
            int(picture[i]),
            int(questions[i]),
            texts[i],
            vocabulary[int(both[i].argmax())],
            vocabulary[int(bench.truth[items[i]])],
            {"text_says": vocabulary[int(says[i])], "picture_over_text_bits": float(margin[i])},
        )
        for i in places[extremes(margin[places])]
    )
    return Finding(
        judged(low, high, CHANCE, CHANCE),
        share,
        (low, high),
        n,
        f"Where the text says otherwise, the picture's answer wins {share:.0%} of {n} items.{told}",
        binomial_tail(n, int(stays[chosen].sum())),
        draws,
        evidence,
        details,
    )


def usable(probe: ProbeSet) -> int:
    return len(probe.answers)


TEST = Test(
    "override",
    "Does the picture win where the text says otherwise?",
    "share of items that stay with the picture against the text",
    "PASS: more than half of the items stay with the picture; FAIL: fewer than half; at least 69 items.",
    Needs(FEWEST, "that 65 % stay with the picture"),
    usable,
    measure,
)
