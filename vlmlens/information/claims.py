"""Does what the literature says that a wiring cannot do show in what was measured here?

    found = judge("txt2img", measured)     # Measured: cards, costs, conditions
    found.word                             # "confirmed", "contradicted", "cannot say" or "not measured"

One row a wiring in `CLAIMS`: which kinds of question, which cost, or which pace the sentence in the registry is about.
A small model of a small world cannot refute a claim about large ones; the sentence says what holds here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Literal

from vlmlens.information.measured import Conditions, differ
from vlmlens.lab.cards import BAR, Cards
from vlmlens.lab.cost import Cost

Word = Literal["confirmed", "contradicted", "cannot say", "not measured"]
DEAR = 1.25  # times the median of the other wirings


@dataclass(frozen=True)
class Measured:
    """All that is known of all wirings."""

    cards: Mapping[str, Cards]
    costs: Mapping[str, Cost]
    conditions: Conditions


@dataclass(frozen=True)
class Claim:
    """What a wiring is said not to do, as something that can be looked up: one of the three is given."""

    told: str
    kinds: tuple[str, ...] = ()  # of question that it should fail
    dear: Literal["", "fusing", "parameters"] = ""  # that it should cost more of than others
    slower_than: str = ""  # the wiring that should be ahead of it early in training


@dataclass(frozen=True)
class Judged:
    word: Word
    sentence: str


CLAIMS: dict[str, Claim] = {
    "img2txt": Claim("reason over words that name two things", kinds=("relation",)),
    "txt2img": Claim("relate patches to each other", kinds=("relation", "where")),
    "concat": Claim("stay cheap in multiply-adds", dear="fusing"),
    "bidirectional": Claim("be cheap in weights", dear="parameters"),
    "gated": Claim("learn fast", slower_than="txt2img"),
    "qformer": Claim("keep counts and places", kinds=("count", "where")),
    "perceiver": Claim("look again once the question is known", kinds=("count", "where", "relation")),
    "late": Claim("bind a thing to its properties", kinds=("color", "shape", "size", "where", "relation")),
    "contrastive": Claim("bind or count", kinds=("color", "shape", "count", "relation")),
}


def judge(wiring: str, measured: Measured) -> Judged:
    """The claim about one wiring, held against the numbers."""
    claim = CLAIMS[wiring]
    if claim.kinds:
        return _of_kinds(claim, measured.cards[wiring])
    if claim.dear:
        return _of_cost(claim, wiring, measured.costs)
    return _of_pace(claim, wiring, measured.conditions)


def _of_kinds(claim: Claim, cards: Cards) -> Judged:
    asked = {kind: cards.by_question[kind] for kind in claim.kinds if kind in cards.by_question}
    if not asked:
        return Judged("not measured", f"Said to be unable to {claim.told}. Not measured yet: {cards.told}.")
    numbers = ", ".join(f"{kind} {each}" for kind, each in asked.items())
    sides = {kind: each.against(BAR) for kind, each in asked.items()}
    below = [kind for kind, side in sides.items() if side == "below"]
    also = [kind for kind in cards.short() if kind not in claim.kinds]
    word: Word = "cannot say"
    if below:
        word, what = "confirmed", f"{_and(below)} questions fall short of {100 * BAR:.0f} %"
    elif all(side == "above" for side in sides.values()):
        word, what = "contradicted", f"it answers all of these at {100 * BAR:.0f} % or more"
    else:
        what = f"the interval lies on both sides of {100 * BAR:.0f} %"
    aside = f" So do {_and(also)} questions, of which it is not said." if also and below else ""
    return Judged(word, f"Said to be unable to {claim.told}. **{_here(word)}**: {what} ({numbers}).{aside}")


def _of_cost(claim: Claim, wiring: str, costs: Mapping[str, Cost]) -> Judged:
    def of(cost: Cost) -> int:
        return cost.fusing if claim.dear == "fusing" else cost.parameters - cost.encoders

    others = median(of(cost) for name, cost in costs.items() if name != wiring)
    ratio = of(costs[wiring]) / others
    what = "multiply-adds of its layers" if claim.dear == "fusing" else "weights of fusion and readout"
    word: Word = "confirmed" if ratio > DEAR else "contradicted" if ratio <= 1 else "cannot say"
    return Judged(
        word,
        f"Said to be unable to {claim.told}. **{_here(word)}**: {of(costs[wiring]):,} {what}, {ratio:.2f} times the "
        f"median of the other wirings ({others:,.0f}), counted and not estimated.",
    )


def _of_pace(claim: Claim, wiring: str, conditions: Conditions) -> Judged:
    """Accuracy after few steps, against the wiring that is the same without what should slow it down."""
    found = conditions.values("half-trained", "accuracy")
    pair = {name: found.get(name, []) for name in (claim.slower_than, wiring)}
    steps = conditions.settings["half-trained"]["steps"]
    if not pair[wiring]:
        return Judged(
            "not measured",
            f"Said to be unable to {claim.told}. Not measured yet: `{conditions.command} --wirings {wiring}` trains it "
            f"for {steps} steps.",
        )
    difference = differ(pair)
    ahead = difference.pair[1] == claim.slower_than
    word: Word = "cannot say"
    if difference.word == "differ":
        word = "confirmed" if ahead else "contradicted"
    numbers = "; ".join(f"{name} {', '.join(f'{value:.3f}' for value in values)}" for name, values in pair.items())
    return Judged(
        word, f"Said to be unable to {claim.told}. **{_here(word)}**: accuracy after {steps} steps, by seed: {numbers}."
    )


def _here(word: Word) -> str:
    return {"confirmed": "Confirmed here", "contradicted": "Contradicted here"}.get(word, "Cannot say")


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
