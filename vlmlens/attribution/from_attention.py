"""Maps that attention itself draws. They ignore what an answer is compared with: attention does not know the answer."""

from collections.abc import Sequence

import numpy as np

from vlmlens.attention import (
    contrast,
    default_place,
    image_maps,
    relative,
    rollout,
    seen,
    sink_parts,
    sinks,
    value_norms,
)
from vlmlens.attribution.case import Case, Map, single, through
from vlmlens.errors import NotApplicable
from vlmlens.models.inside import whole
from vlmlens.progress import Progress
from vlmlens.trace import Place, Trace

SHARE = "of the attention"
UNSEEN = "No row of {} looks at the picture where the answer is read; there is no map."
NEUTRAL = "Write a general description of the image."  # Zhang et al., ICLR 2025
LAB_NEUTRAL = "how many objects are there"  # what the lab's vocabulary has for it


def raw(case: Case, progress: Progress) -> Map:
    return raw_map(case.trace)


def raw_map(trace: Trace) -> Map:
    """The attention that a trace holds, as a map. Raises NotApplicable where no row of the answer sees the picture."""
    places, values = _places(trace)
    part = [places[i].label for i, visible in enumerate(seen(trace)) if not visible.all()]
    note = f"A sliding window ends within the picture: {', '.join(part)}." if part else through(trace)
    return Map("raw", _labels(places), values, SHARE, first=default_place(trace), note=note)


def sink_removed(case: Case, progress: Progress) -> Map:
    places, values = _places(case.trace, without=sinks(case.trace))
    count, tokens = len(sink_parts(case.trace).registers), len(case.trace.grid.read)
    note = f"{count} of {tokens} image tokens are sinks and were left out."
    return Map("sink-removed", _labels(places), values, SHARE, False, default_place(case.trace), note=note)


def relative_map(case: Case, progress: Progress) -> Map:
    places, _ = _places(case.trace)
    asked = LAB_NEUTRAL if case.vlm.info.lab else NEUTRAL
    progress.step(0, "the neutral question")
    found = relative(case.trace, case.vlm.inspect(case.picture, asked, new_tokens=0))[:, None].astype(np.float32)
    if not np.ptp(found):
        raise NotApplicable(f"In {case.vlm.name} no question changes what is looked at; the ratio is 1 everywhere.")
    note = f"Neutral question: “{asked}”."
    unit = "times the attention under the neutral question"
    return Map("relative", _labels(places), found, unit, first=default_place(case.trace), note=note)


def contrastive(case: Case, progress: Progress) -> Map:
    found = contrast(case.trace, fusion=case.fusion, review=case.review)
    note = f"{found.labels[found.late]} less {found.labels[found.early]}, each renormalised over the picture."
    return single("contrastive", found.values, "of the attention on the picture", note=note)


def rollout_map(case: Case, progress: Progress) -> Map:
    progress.step(0, "attention of every row")
    found = rollout(whole(case.vlm, case.prepared))
    return single("rollout", case.trace.grid.spread(found), "of the way to the answer", signed=False)


def value_weighted(case: Case, progress: Progress) -> Map:
    progress.step(0, "attention of every row")
    layers, norms = value_norms(whole(case.vlm, case.prepared))
    named = {place.layer: place.label for place in case.trace.places}
    values = case.trace.grid.spread(norms)[:, None]
    seen = np.asarray(values.any(axis=(1, 2)))
    if not seen.any():
        raise NotApplicable(UNSEEN.format(case.vlm.name))
    labels = tuple(named[layer] for layer, sees in zip(layers, seen.tolist(), strict=True) if sees)
    peak = values[seen, 0].max(axis=1) / values[seen, 0].sum(axis=1)
    return Map("value-weighted", labels, values[seen], "norm of the update", first=int(peak.argmax()))


def _places(trace: Trace, without: Sequence[int] = ()) -> tuple[tuple[Place, ...], np.ndarray]:
    """The places that see the picture, with the answering row's attention [place, head, cell]."""
    places, values = image_maps(trace, without=without)
    if not trace.grid.cells:
        raise NotApplicable(f"It is not known where on the picture the image tokens of {trace.model} lie: no map.")
    if not places:
        raise NotApplicable(UNSEEN.format(trace.model))
    return places, values[:, :, 0]


def _labels(places: tuple[Place, ...]) -> tuple[str, ...]:
    return tuple(place.label for place in places)
