"""Sinks: is there a key that takes far more than its share of attention, and tells nothing?"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from vlmlens.diagnostics.statistics import jensen_shannon
from vlmlens.errors import NotApplicable
from vlmlens.pitfalls.evidence import Evidence
from vlmlens.pitfalls.finding import Detector, Finding, Verdict, judged, not_applicable, over_rows
from vlmlens.trace import Segment

TIMES = 5  # what falls to a key if all get alike; "far more" is more than this, or than half
HALF = 0.5
MOST_ROWS = 0.5  # of the rows
BARELY = 0.02  # bits of Jensen-Shannon divergence of the answer
TRIED = 6  # keys; of those that may take far more than their share in most rows, the largest
FEWEST_KEYS = 3
VALUES = ("v_proj", "value", "v")  # what modules call the projection to values


def find(evidence: Evidence) -> Finding:
    shares, rows, sites = _taken(evidence)
    if not shares:
        return not_applicable(f"{evidence.vlm.name} has no attention with several keys to choose among.")
    intervals = {where: over_rows(np.array(found), evidence.seed, most=1.0) for where, found in rows.items()}
    verdicts = {where: judged(intervals[where], MOST_ROWS, ill_above=True) for where in rows}
    order = sorted(rows, key=lambda where: (-float(np.mean(rows[where])), -float(np.mean(shares[where]))))
    suspects = [where for where in order if verdicts[where] != "not found"]
    tried = {where: _without(evidence, *where) for where in suspects[:TRIED]}
    moved = {where: over_rows(effect, evidence.seed) for where, effect in tried.items()}
    silent = {where: judged(found, BARELY, ill_above=False) for where, found in moved.items()}
    empty = [where for where in tried if silent[where] == "found" and verdicts[where] == "found"]
    unclear = [where for where in tried if silent[where] != "not found"]
    verdict: Verdict = "found" if empty else "cannot tell" if unclear or len(suspects) > TRIED else "not found"
    name, key = where = (empty or unclear or suspects or order)[0]
    taken = np.array(shares[where])
    told = (
        f"{_told(evidence, key)} takes {taken.mean():.2f} of attention at {sites[name]}, far more than its share in "
        f"{np.mean(rows[where]):.0%} of the rows (95 % interval {intervals[where][0]:.0%} to {intervals[where][1]:.0%})"
    )
    if where in tried:
        low, high = moved[where]
        told += (
            f"; without what it tells, the answer moves by {tried[where].mean():.3f} bit "
            f"({low:.3f} to {high:.3f}), {'which is barely' if silent[where] == 'found' else 'so it tells something'}."
            if silent[where] != "cannot tell"
            else f"; whether the answer needs what it tells is not clear ({low:.3f} to {high:.3f} bit)."
        )
    else:
        told = f"No key takes far more than its share in most rows; nearest comes this: {told}."
    return Finding(
        verdict,
        told[0].upper() + told[1:],
        float(taken.mean()),
        over_rows(taken, evidence.seed, most=1.0),
        len(evidence.prepared),
        {
            "site": name,
            "label": sites[name],
            "key": key,
            "rows": evidence.looked[0][name].shown,
            "effect": float(tried[where].mean()) if where in tried else None,
        },
    )


Where = tuple[str, int]  # site and key position


def _taken(evidence: Evidence) -> tuple[dict[Where, list[float]], dict[Where, list[float]], dict[str, str]]:
    """For every site and key that each item has: its mean share, and in what part of the rows it takes far more."""
    shares: dict[Where, list[float]] = {}
    rows: dict[Where, list[float]] = {}
    sites: dict[str, str] = {}
    for item in evidence.looked:
        for name, looked in item.items():
            seen = looked.visible.sum(axis=1)
            choosing = seen >= FEWEST_KEYS
            if not choosing.any():
                continue
            sites[name] = looked.site.label or name
            weights = looked.attention[:, choosing].mean(axis=0)  # [row, key]
            far = weights > np.minimum(TIMES / seen[choosing], HALF)[:, None]
            for place, key in enumerate(looked.site.keys):
                shares.setdefault((name, int(key)), []).append(float(weights[:, place].mean()))
                rows.setdefault((name, int(key)), []).append(float(far[:, place].mean()))
    items = len(evidence.looked)
    everywhere = [where for where, found in shares.items() if len(found) == items]
    return {w: shares[w] for w in everywhere}, {w: rows[w] for w in everywhere}, sites


def _without(evidence: Evidence, name: str, key: int) -> np.ndarray:
    """How far each item's answer moves when the key keeps its attention and tells nothing, bits [item].

    Its value is set to zero. Were the edges cut instead, its share would fall to other keys, and even a sink's going
    would be felt.
    """
    found = []
    for prepared, clean in zip(evidence.prepared, evidence.clean, strict=True):
        module, site = next((m, s) for m, s in evidence.vlm.sites(prepared).items() if s.name == name)
        values = next((each for name in VALUES if isinstance(each := getattr(module, name, None), nn.Module)), None)
        if values is None:
            raise NotApplicable(f"In {evidence.vlm.name} a key's value cannot be taken out of the rest.")
        with evidence.vlm.lock, _silenced(values, list(site.keys).index(key)):
            found.append(float(jensen_shannon(clean, evidence.answers(prepared))))
    return np.array(found)


@contextmanager
def _silenced(values: nn.Module, index: int) -> Iterator[None]:
    """A key's value is zero until the block ends."""

    def zero(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        changed = output.clone()
        changed[:, index] = 0
        return changed

    with torch.inference_mode():
        handle = values.register_forward_hook(zero)
        try:
            yield
        finally:
            handle.remove()


def _told(evidence: Evidence, key: int) -> str:
    """A key in words; the questions differ in their words, so theirs are counted."""
    first = evidence.prepared[0]
    segment = Segment(first.segments[key])
    place = int((first.segments[:key] == segment).sum()) + 1
    if segment in _KINDS:
        return f"{_KINDS[segment]} {place}"
    return f"“{first.tokens[key]}”"


_KINDS = {Segment.IMAGE: "image token", Segment.QUESTION: "word", Segment.LATENT: "latent"}


DETECTOR = Detector(
    "sinks",
    "Does attention pile up where there is nothing to see?",
    "of attention",
    f"found where one key takes more than {TIMES} times its share, or half, in most rows, and the answer moves by less "
    f"than {BARELY:g} bit without what it tells",
    "Leave weights out while training, or pay attention for spreading; a sink that does no harm may also stay.",
    ("attention dropout", "entropy"),
    find,
)
