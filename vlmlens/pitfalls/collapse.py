"""Attention collapse: does one key take nearly all of every row?"""

from collections.abc import Mapping, Sequence

import numpy as np

from vlmlens.pitfalls.evidence import Evidence, Looked
from vlmlens.pitfalls.finding import Detector, Finding, Verdict, judged, not_applicable, over_rows
from vlmlens.trace import Site, Trace

MOST = 0.9
FEWEST_KEYS = 3  # that a row may look at; with fewer it has no choice


def taken(looked: Looked) -> float:
    """The least share that one key takes of every row, in the head where it is least; NaN where rows have no choice."""
    rows = looked.visible.sum(axis=1) >= FEWEST_KEYS
    if rows.sum() < 2:
        return float("nan")
    return float(looked.attention[:, rows].min(axis=1).max(axis=1).min())


def find(evidence: Evidence) -> Finding:
    return over(evidence.looked, evidence.vlm.name, evidence.seed)


def of_traces(traces: Sequence[Trace]) -> Finding:
    """The same of traces of one model: of the rows that they kept, the question's where there are any."""
    return over([_of_trace(trace) for trace in traces], traces[0].model, 0)


def _of_trace(trace: Trace) -> Mapping[str, Looked]:
    record = trace.record("question" if "question" in trace.rows else "last")
    everyone = range(trace.length)
    return {
        place.label: Looked(Site(place.label, place.layer, place.kind, (), everyone, place.label), weights, seen)
        for place, weights, seen in zip(trace.places, record.attention, record.visible, strict=True)
        if place.kind != "readout" and weights.any()
    }


def over(items: Sequence[Mapping[str, Looked]], model: str, seed: int) -> Finding:
    """What the attention of some items shows, each site name -> what it did. One item alone has no interval."""
    by_site: dict[str, list[float]] = {}
    labels = {}
    for item in items:
        for name, looked in item.items():
            if (value := taken(looked)) == value:
                by_site.setdefault(name, []).append(value)
                labels[name] = looked.site.label or name
    if not by_site:
        return not_applicable(f"{model} has no attention with several rows and keys to choose among.")
    intervals = {name: over_rows(np.array(values), seed, most=1.0) for name, values in by_site.items()}
    worst = max(by_site, key=lambda name: float(np.mean(by_site[name])))
    if any(judged(found, MOST, ill_above=True) == "found" for found in intervals.values()):
        verdict: Verdict = "found"
    elif all(judged(found, MOST, ill_above=True) == "not found" for found in intervals.values()):
        verdict = "not found"
    else:
        verdict = "cannot tell"
    number, (low, high) = float(np.mean(by_site[worst])), intervals[worst]
    return Finding(
        verdict,
        f"Where it is worst ({labels[worst]}), one key takes at least {number:.2f} of every row, in every head "
        f"(95 % interval {low:.2f} to {high:.2f}).",
        number,
        (low, high),
        len(by_site[worst]),
        {"site": worst, "label": labels[worst], "rows": next(item[worst].shown for item in items if worst in item)},
    )


DETECTOR = Detector(
    "attention collapse",
    "Does every row look at one and the same place?",
    "share of a row",
    f"found where at some site one key takes more than {MOST:g} of every row in every head; not found where at no site",
    "Spread the attention while training, or give it more to look with.",
    ("entropy", "attention dropout", "more queries"),
    find,
)
