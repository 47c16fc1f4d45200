"""PID from samples, honest about how few they are: bias-corrected terms, intervals, nulls, and refusals.

    found = estimate(image_features, text_features, answers)
    found["unique_1"].value, found["unique_1"].low, found["unique_1"].high, found.sentence("image", "text")

A plug-in estimate is too high, synergy most. Here every term is the delete-a-tenth jackknife's, its interval that of
Student's t with the nine degrees of freedom that ten tenths leave. Where a source's unique part does not rise over what
two equally good sources would show, its interval begins at zero, and those of the redundant and the synergistic reach
as far as that would let them. benchmarks/intervals.py measures how often these intervals hold the truth.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from vlmlens.information.clusters import COMPONENTS, Clusters, K
from vlmlens.information.samples import BLOCKS, Samples, resampled
from vlmlens.information.solver import PID, InformationError, decompose, optimum

TERMS = ("unique_1", "unique_2", "redundant", "synergistic")
U1, U2, R, S = range(4)
DRAWS = 20  # of every null
T_95 = 2.262  # Student's t, nine degrees of freedom
NORMAL_95 = 1.96
TOLERANCE = 1e-3  # bits, of every solution
ENOUGH = 10.0  # samples a cell of the table that a term rests on
SOME = 2.5  # with these synergy gets a bracket

Status = Literal["shown", "bracket", "refused"]


@dataclass(frozen=True)
class Term:
    """One atom in bits. `value` and the interval are NaN where they are refused; `why` says so in words."""

    name: str
    value: float  # jackknife; may be below zero by its own error
    low: float  # 95 % interval; for a bracket, its ends
    high: float
    plug_in: float
    null: float  # mean of the plug-in term where y is shuffled
    null_high: float  # mean + 1.96 standard deviations
    clear: bool  # whether it rises over its nulls
    status: Status
    why: str


@dataclass(frozen=True)
class Share:
    """Unique to X1, as a part of what is unique to either. NaN where `why` says that it cannot be told."""

    value: float
    low: float
    high: float
    why: str


@dataclass(frozen=True, eq=False)
class Estimate:
    """What n samples say about the decomposition of I(X1, X2; Y)."""

    terms: tuple[Term, ...]  # in the order of TERMS
    share: Share
    n: int  # samples counted
    states: tuple[int, int, int]
    gap: float  # largest of all solutions, bits

    def __getitem__(self, name: str) -> Term:
        return self.terms[TERMS.index(name)]

    @property
    def plug_in_total(self) -> float:
        """I(X1, X2; Y) of the table as counted, bits."""
        return sum(term.plug_in for term in self.terms)

    def sentence(self, first: str = "x1", second: str = "x2") -> str:
        """What the terms amount to, in words."""
        u1, u2, redundant, synergy = self.terms
        if any(term.status == "refused" for term in (u1, u2, redundant)):
            return f"Too few samples to say anything yet: {u1.why}"
        both = "Together they tell more than apart." if synergy.status == "shown" and synergy.clear else ""
        if u1.clear and u2.clear:
            said = f"The answer takes from {first} and from {second}, each something that the other does not have."
        elif u1.clear or u2.clear:
            one, other = (first, second) if u1.clear else (second, first)
            said = f"What decides is in {one} alone; nothing of its own in {other} can be told from chance."
        elif redundant.clear:
            said = f"By this measure {first} and {second} tell the same: nothing in either is its own."
        elif both:
            return f"Neither {first} nor {second} tells anything alone; {both[0].lower()}{both[1:]}"
        else:
            return f"Inconclusive: nothing that {first} or {second} tell rises over chance."
        return f"{said} {both}".strip()

    def to_frame(self) -> pd.DataFrame:
        """One row a term."""
        return pd.DataFrame([asdict(term) for term in self.terms])

    def _repr_html_(self) -> str:
        return f"<p>{self.sentence()}</p>{self.to_frame().to_html(index=False, float_format='%.3f')}"

    def to_dict(self) -> dict[str, Any]:
        return {
            "terms": {term.name: _without_nan(asdict(term)) for term in self.terms},
            "share_1": _without_nan(asdict(self.share)),
            "n": self.n,
            "states": list(self.states),
            "gap": self.gap,
        }


def estimate(
    x1: Any, x2: Any, y: Any, *, k: int = K, components: int = COMPONENTS, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """PID of (x1, x2) about y in bits, from independent samples.

    Args:
        x1, x2: labels [n], or features [n, width]. Features are reduced to `components` and clustered into `k` states
            on every other sample, and only the samples between are counted.
        y: labels [n]: the model's answers.
        draws: of every null.

    Raises:
        InformationError: lengths that differ, one class only, fewer samples than k, constant or broken features.
    """
    sides = [np.asarray(side) for side in (x1, x2)]
    target = np.asarray(y)
    lengths = [len(side) for side in (*sides, target)]
    if len(set(lengths)) > 1 or target.ndim != 1:
        raise InformationError(f"x1, x2 and y are one sample each row, y one label; their lengths: {lengths}.")
    if draws < 2:
        raise InformationError(f"draws: a null takes 2 at least, got {draws}.")
    if any(side.ndim > 1 for side in sides):
        sides = [
            Clusters.fit(side[::2], k, components, seed).of(side[1::2]) if side.ndim > 1 else side[1::2]
            for side in sides
        ]
        target = target[1::2]
    return of_samples(Samples.of(sides[0], sides[1], target), draws, seed)


def of_samples(samples: Samples, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The same for samples that are labels already."""
    rng = np.random.default_rng(seed)
    table = samples.table()
    if len(samples) < 2 * BLOCKS:
        raise InformationError(f"{len(samples)} samples are too few to leave a tenth out; {2 * BLOCKS} are the least.")
    sets = [
        np.concatenate([table[None], samples.left_out()]),
        *(samples.shuffled(draws, rng, side) for side in ("y", "x1", "x2")),
        *(samples.tied(which, draws, rng) for which in (2, 1)),
    ]
    solved = [decompose(tables, TOLERANCE) for tables in sets]
    whole, null, alone_1, alone_2, tie_1, tie_2 = (_terms(pid) for pid in solved)  # [table, term] each
    plug_in, without = whole[0], whole[1:]

    value, half = jackknife(plug_in, without)
    low, high = value - T_95 * half, value + T_95 * half
    clear = np.array(
        [
            plug_in[U1] > max(_limit(tie_1[:, U1]), _limit(alone_1[:, U1])),
            plug_in[U2] > max(_limit(tie_2[:, U2]), _limit(alone_2[:, U2])),
            plug_in[R] > max(_limit(alone_1[:, R]), _limit(alone_2[:, R])),
            plug_in[S] > max(_limit(alone_1[:, S]), _limit(alone_2[:, S])),
        ]
    )
    low[:S] = np.where(clear[:S], low[:S], 0.0)
    high = np.maximum(high, low)
    if maybe_none := [unique for unique in (U1, U2) if not clear[unique]]:
        for rest in (R, S):  # what is not unique is redundant (R + U = I(X; Y)), and that much more takes both (S + U)
            high[rest] = max(high[rest], min(_reach(plug_in, without, unique, rest) for unique in maybe_none))

    n, (k1, k2, labels) = len(samples), samples.states
    enough = _status(n, max(k1, k2) * labels, k1 * k2 * labels)
    if enough[S][0] == "bracket":
        # One correction takes too much, the other too little; and the plug-in itself is uncertain.
        drawn = _terms(decompose(resampled(optimum(table, TOLERANCE), n, draws, rng), TOLERANCE))[:, S]
        ends = sorted((plug_in[S] - null[:, S].mean(), plug_in[S] - drawn.mean()))
        reached = high[S] if maybe_none else -np.inf
        low[S], high[S], value[S] = ends[0] - T_95 * half[S], ends[1] + T_95 * half[S], np.mean(ends)
        high[S] = max(high[S], reached)
    for index, (status, _) in enumerate(enough):
        if status == "refused":
            value[index] = low[index] = high[index] = np.nan
    terms = tuple(
        Term(
            name,
            value=float(value[i]),
            low=float(low[i]),
            high=float(high[i]),
            plug_in=float(plug_in[i]),
            null=float(null[:, i].mean()),
            null_high=_limit(null[:, i]),
            clear=bool(clear[i]),
            status=status,
            why=why,
        )
        for i, (name, (status, why)) in enumerate(zip(TERMS, enough, strict=True))
    )
    unclear = plug_in[:R].sum() <= _limit(null[:, :R].sum(axis=1)) or not clear[:R].any()
    gap = max(float(np.max(pid.gap)) for pid in solved)
    return Estimate(terms, _share(plug_in, without, clear, unclear, terms[U1].status), n, samples.states, gap)


def jackknife(whole: np.ndarray, without: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bias-corrected value and standard error of a statistic, from it without each block ([block, ...])."""
    mean = without.mean(axis=0)
    spread = ((without - mean) ** 2).sum(axis=0)
    return BLOCKS * whole - (BLOCKS - 1) * mean, np.sqrt((BLOCKS - 1) / BLOCKS * spread)


def _reach(whole: np.ndarray, without: np.ndarray, *terms: int) -> float:
    """Upper end of the interval of a sum of terms."""
    chosen = list(terms)
    value, half = jackknife(whole[chosen].sum(), without[:, chosen].sum(axis=1))
    return float(value + T_95 * half)


def _limit(draws: np.ndarray) -> float:
    """What a null seldom exceeds."""
    return float(draws.mean() + NORMAL_95 * draws.std(ddof=1))


def _status(n: int, pair: int, triple: int) -> list[tuple[Status, str]]:
    """Whether each term may be shown for n samples over so many cells of its tables, and if not, why."""
    few = f"{n} samples over {pair} cells are {n / pair:.1f} each; {ENOUGH:.0f} are needed. Add samples or lower k."
    unique: tuple[Status, str] = ("shown", "") if n >= ENOUGH * pair else ("refused", few)
    few = f"{n} samples over {triple} cells are {n / triple:.1f} each; {ENOUGH:.0f} are needed. Add samples or lower k."
    synergy: tuple[Status, str] = ("refused", f"Too few samples for synergy: {few}")
    if n >= ENOUGH * triple:
        synergy = "shown", ""
    elif n >= SOME * triple:
        synergy = "bracket", f"Synergy is a bracket, no estimate: {few}"
    if unique[0] == "refused":
        synergy = unique
    return [unique, unique, unique, synergy]


def _share(plug_in: np.ndarray, without: np.ndarray, clear: np.ndarray, unclear: bool, status: Status) -> Share:
    if status == "refused":
        return Share(np.nan, np.nan, np.nan, "n/a: too few samples")
    if unclear:
        return Share(np.nan, np.nan, np.nan, "n/a: what is unique to either does not rise over chance")
    both = without[:, :R].sum(axis=1)
    value, half = jackknife(plug_in[U1] / plug_in[:R].sum(), without[:, U1] / np.where(both > 0, both, 1.0))
    low = value - T_95 * half if clear[U1] else 0.0
    high = value + T_95 * half if clear[U2] else 1.0
    value, low, high = np.clip([value, low, high], 0.0, 1.0)
    return Share(float(value), float(low), float(high), "")


def _terms(pid: PID) -> np.ndarray:
    """[table, term]"""
    return np.stack([np.atleast_1d(getattr(pid, name)) for name in TERMS], axis=-1)


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    return {name: None if value != value else value for name, value in row.items()}
