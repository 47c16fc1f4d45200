"""From what the attention sites of an answer's passes kept to the rows of a trace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image

from vlmlens.trace import Answer, Grid, Place, RowRecord, Segment, Site, Step, Watch
from vlmlens.trace.capture import Kept, Recorder

Mix = tuple[int, np.ndarray]  # the position of a row, and how much of each position's [position + 1] it is made of


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


@dataclass(frozen=True, eq=False)
class Said:
    """What a model answered, and what was heard of every pass."""

    answers: tuple[Answer, ...]  # to begin with, most probable first
    passes: tuple[Recorder, ...]  # the prompt's, then one for each token after the first
    text: str = ""  # the whole answer, where the model generates
    tokens: tuple[str, ...] = ()  # of the answer
    steps: tuple[Step, ...] = ()  # one a token


def watched_rows(site: Site, prepared: Prepared, watch: Watch) -> tuple[int, ...]:
    """The token positions whose attention a site must keep for the rows that a watch asks for."""
    wanted: set[int] = set()
    if "last" in watch.rows or "answer" in watch.rows:  # the answer's first token is read from the same row
        # Where a readout pools a stream, the answer's row is made from all rows of that stream.
        wanted |= set(site.queries) if site.kind == "readout" or pools(prepared) else {prepared.length - 1}
    if "question" in watch.rows:
        wanted |= set(np.flatnonzero(prepared.segments == Segment.QUESTION).tolist())
    return tuple(position for position in site.queries if position in wanted)


def pools(prepared: Prepared) -> bool:
    """Whether the answer is read by a readout of a stream: a learned query, or a decoder after an encoder."""
    return bool(prepared.inputs.get("pools", False))


def assemble(
    prepared: Prepared, sites: Sequence[Site], said: Said, watch: Watch
) -> tuple[tuple[Place, ...], dict[str, RowRecord]]:
    """From what sites kept to the places and row records of a trace."""
    length = prepared.length + len(said.tokens)
    sites = [_beyond(site, prepared.length, length) for site in sites]
    grouped: dict[tuple[int, str], list[Site]] = {}
    for site in sites:
        grouped.setdefault((site.layer, site.kind), []).append(site)
    image = set(np.flatnonzero(prepared.segments == Segment.IMAGE).tolist())
    kept = said.passes[0].kept
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
    mixes = _mixes(prepared, sites, said, watch)
    empty = _Joined.nothing(next(iter(kept.values())), length) if mixes else None
    slices: dict[str, list[tuple[np.ndarray, ...]]] = {name: [] for name in mixes}
    for group in grouped.values():
        found = [_Joined.of(site, said.passes, length) for site in group if site.name in kept]
        for name, rows in mixes.items():
            assert empty is not None
            slices[name].append(_mixed(found or [empty], rows))
    return places, {
        name: RowRecord(tuple(position for position, _ in rows), *zip(*slices[name], strict=True))
        for name, rows in mixes.items()
    }


def peaks(said: Said, length: int) -> np.ndarray:
    """Largest activations entering each layer, float32 [layer, position]; 0 for a token that enters none, the last."""
    layers = sorted(said.passes[0].peaks)
    passes = [heard.peaks for heard in said.passes if heard.peaks]  # an encoder runs in the first alone
    heard = [torch.stack([peaks[layer] for layer in layers]).cpu().numpy() for peaks in passes]
    found = np.concatenate(heard, axis=1)
    return np.pad(found, ((0, 0), (0, length - found.shape[1])))


def _mixes(prepared: Prepared, sites: Sequence[Site], said: Said, watch: Watch) -> dict[str, list[Mix]]:
    """The rows of a trace, as weighted sums of kept query positions."""
    length = prepared.length + len(said.tokens)
    readouts = [site for site in sites if site.kind == "readout"]  # each layer of a decoder is one

    def alone(position: int) -> Mix:
        weights = np.zeros(length + 1)
        weights[position] = 1.0
        return position, weights

    def reading(step: int) -> Mix:
        """The row that a token of the answer is read from, and with it what a readout pools in that pass."""
        no_token = not step and prepared.row == prepared.length
        position, weights = alone(length if no_token else prepared.length - 1 + step)
        for readout in readouts:
            pooled = said.passes[step].kept[readout.name].attention[0][:, -1].mean(dim=0).double().cpu().numpy()
            weights[list(readout.keys)] += pooled / len(readouts)
        return position, weights

    mixes: dict[str, list[Mix]] = {}
    if "last" in watch.rows:
        mixes["last"] = [reading(0)]
    if "question" in watch.rows:
        asked = np.flatnonzero(prepared.segments == Segment.QUESTION).tolist()
        if any(token in site.queries for token in asked for site in sites):
            mixes["question"] = [alone(token) for token in asked]
    if "answer" in watch.rows and said.tokens:
        mixes["answer"] = [reading(step) for step in range(len(said.tokens))]
    return mixes


def _beyond(site: Site, before: int, length: int) -> Site:
    """A site whose query that is no token, if it has one, stands after the answer's tokens, too."""
    return replace(site, queries=tuple(length if position == before else position for position in site.queries))


@dataclass(frozen=True, eq=False)
class _Joined:
    """What one site kept in all passes, by position."""

    queries: np.ndarray  # int [row]
    attention: np.ndarray  # [head, row, position]
    visible: np.ndarray  # bool [row, position]
    parts: np.ndarray | None  # [row, segment, width]
    update: np.ndarray | None  # [row, width]

    @classmethod
    def of(cls, site: Site, passes: Sequence[Recorder], length: int) -> "_Joined":
        heard = [(one.placed(site), one.kept[site.name]) for one in passes if site.name in one.kept]
        kept = [found for _, found in heard]
        queries = [np.asarray(where.queries)[found.rows.cpu().numpy()] for where, found in heard]
        rows = sum(map(len, queries))
        attention = np.zeros((kept[0].attention.shape[1], rows, length), np.float32)
        visible = np.zeros((rows, length), bool)
        start = 0
        for where, found in heard:
            part, keys = slice(start, start + len(found.rows)), list(where.keys)
            attention[:, part, keys] = found.attention[0].cpu().numpy()
            visible[part, keys] = found.visible[0].cpu().numpy()
            start = part.stop
        return cls(
            np.concatenate(queries),
            attention,
            visible,
            *_written(kept),
        )

    @classmethod
    def nothing(cls, sample: Kept, length: int) -> "_Joined":
        """Of no row, in the shape of others."""
        heads = sample.attention.shape[1]
        parts, update = (
            None if states is None else states[0, :0].float().cpu().numpy() for states in (sample.parts, sample.update)
        )
        return cls(
            np.zeros(0, int), np.zeros((heads, 0, length), np.float32), np.zeros((0, length), bool), parts, update
        )


def _written(kept: Sequence[Kept]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Parts and updates of the rows of all passes, written at once: a large matrix is cast once, and not every step."""
    first, *others = kept
    if first.mixed is None or first.read is None or first.writing is None:
        return None, None
    writing = first.writing.for_all([found.writing for found in others if found.writing is not None])
    mixed = torch.cat([found.mixed for found in kept if found.mixed is not None], dim=1)
    read = torch.cat([found.read for found in kept if found.read is not None], dim=1)
    return writing.write(mixed)[0].cpu().numpy(), writing.write(read)[0].cpu().numpy()


def _mixed(found: Sequence[_Joined], rows: Sequence[Mix]) -> tuple[np.ndarray, ...]:
    """One place's arrays of a RowRecord."""
    sample = found[0]
    attention = np.zeros((len(sample.attention), len(rows), sample.attention.shape[-1]), np.float32)
    visible = np.zeros(attention.shape[1:], bool)
    parts = None if sample.parts is None else np.zeros((len(rows), *sample.parts.shape[1:]), np.float32)
    update = None if sample.update is None else np.zeros((len(rows), *sample.update.shape[1:]), np.float32)
    for site in found:
        for line, (_, weights) in enumerate(rows):
            share = weights[site.queries].astype(np.float32)
            used = np.flatnonzero(share)
            if not len(used):
                continue
            attention[:, line] += np.einsum("q,hqk->hk", share[used], site.attention[:, used])
            visible[line] |= site.visible[used].any(axis=0)
            if parts is not None and update is not None and site.parts is not None and site.update is not None:
                parts[line] += np.einsum("q,qsw->sw", share[used], site.parts[used])
                update[line] += share[used] @ site.update[used]
    return (attention, visible) if parts is None or update is None else (attention, visible, parts, update)
