"""From what the attention sites of one pass kept to the rows of a trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from vlmlens.trace import Grid, Place, RowRecord, Segment, Site, Watch
from vlmlens.trace.capture import Kept


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture and a question as one model reads them."""

    question: str
    image: Image.Image  # as uploaded
    inputs: Mapping[str, Any]  # tensors of the model's own making, batch of one
    tokens: tuple[str, ...]
    segments: np.ndarray  # int8 [position]
    grid: Grid
    aside: tuple[int, ...] = ()  # image tokens that show no spot of the picture: summaries of it, padding
    first: int | None = None  # the token that the answer is read from, where a readout's query is one

    @property
    def length(self) -> int:
        return len(self.tokens)

    @property
    def row(self) -> int:
        """The position that the answer is read from; `length` for a readout's own query, which is no token."""
        if self.first is not None:
            return self.first
        return self.length if pools(self) else self.length - 1


def watched_rows(site: Site, prepared: Prepared, watch: Watch) -> tuple[int, ...]:
    """The token positions whose attention a site must keep for the rows that a watch asks for."""
    wanted: set[int] = set()
    if "last" in watch.rows:
        # Where a readout pools a stream, the answer's row is made from all rows of that stream.
        wanted |= set(site.queries) if site.kind == "readout" or pools(prepared) else {prepared.length - 1}
    if "question" in watch.rows:
        wanted |= set(np.flatnonzero(prepared.segments == Segment.QUESTION).tolist())
    return tuple(position for position in site.queries if position in wanted)


def pools(prepared: Prepared) -> bool:
    """Whether the answer is read by a readout of a stream: a learned query, or a decoder after an encoder."""
    return bool(prepared.inputs.get("pools", False))


def assemble(
    prepared: Prepared, sites: Sequence[Site], kept: Mapping[str, Kept], watch: Watch
) -> tuple[tuple[Place, ...], dict[str, RowRecord]]:
    """From what sites kept to the places and row records of a trace."""
    grouped: dict[tuple[int, str], list[Site]] = {}
    for site in sites:
        grouped.setdefault((site.layer, site.kind), []).append(site)
    image = set(np.flatnonzero(prepared.segments == Segment.IMAGE).tolist())
    places = tuple(
        Place(
            layer,
            group[0].kind,
            group[0].label,
            competes=any(image & set(site.keys) and set(site.keys) - image for site in group),
            sinks=any(site.name in kept and kept[site.name].sinks for site in group),
        )
        for (layer, _), group in grouped.items()
    )
    groups = list(grouped.values())
    records = {}
    if "last" in watch.rows:
        weights = np.zeros(prepared.length + 1)
        weights[prepared.row] = 1.0
        readouts = [site for site in sites if site.kind == "readout"]  # each layer of a decoder is one
        for readout in readouts:
            pooled = kept[readout.name].attention[0][:, -1].mean(dim=0).double().cpu().numpy()
            weights[list(readout.keys)] += pooled / len(readouts)
        records["last"] = _record([(prepared.row, weights)], groups, kept, prepared.length)
    if "question" in watch.rows:
        rows = []
        for token in np.flatnonzero(prepared.segments == Segment.QUESTION):
            one = np.zeros(prepared.length + 1)
            one[token] = 1.0
            rows.append((int(token), one))
        if any(token in site.queries for token, _ in rows for site in sites):
            records["question"] = _record(rows, groups, kept, prepared.length)
    return places, records


def _record(
    rows: Sequence[tuple[int, np.ndarray]], groups: Sequence[Sequence[Site]], kept: Mapping[str, Kept], length: int
) -> RowRecord:
    """Rows as weighted sums of kept query positions: weights [position + 1], the last for a readout."""
    attention, visible, parts, update = [], [], [], []
    for group in groups:
        sample = kept[group[0].name] if group[0].name in kept else next(iter(kept.values()))
        heads = sample.attention.shape[1]
        a = np.zeros((heads, len(rows), length), np.float32)
        v = np.zeros((len(rows), length), bool)
        p = u = None
        if sample.parts is not None and sample.update is not None:
            p = np.zeros((len(rows), *sample.parts.shape[2:]), np.float32)
            u = np.zeros((len(rows), sample.update.shape[-1]), np.float32)
        for site in group:
            if site.name not in kept:
                continue
            found = kept[site.name]
            queries = np.asarray(site.queries)[found.rows.cpu().numpy()]
            mix = np.stack([weights[queries] for _, weights in rows]).astype(np.float32)  # [row, kept row]
            keys = list(site.keys)
            a[:, :, keys] += np.einsum("rq,hqk->hrk", mix, found.attention[0].cpu().numpy())
            v[:, keys] |= (mix @ found.visible[0].cpu().numpy().astype(np.float32)) > 0
            if p is not None and u is not None and found.parts is not None and found.update is not None:
                p += np.einsum("rq,qsw->rsw", mix, found.parts[0].cpu().numpy())
                u += mix @ found.update[0].cpu().numpy()
        attention.append(a)
        visible.append(v)
        if p is not None and u is not None:
            parts.append(p)
            update.append(u)
    return RowRecord(tuple(p for p, _ in rows), tuple(attention), tuple(visible), tuple(parts), tuple(update))
