"""One protocol for every model: prepare, run under a watch and edits, rank answers.

A model of any kind implements four methods (`prepare`, `sites`, `logits`, `rank`); `inspect` and `answer_probability`
are the same code for all.
"""

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vlmlens.errors import ModelError
from vlmlens.lab.draw import draw, render
from vlmlens.lab.scenes import Scene
from vlmlens.picture import encode_png, for_display, open_picture, picture_hash
from vlmlens.progress import Progress
from vlmlens.trace import Answer, Edit, Grid, Knockout, Place, RowRecord, Segment, Site, Trace, Watch
from vlmlens.trace.capture import Kept, Recorder, recording

Picture = Image.Image | np.ndarray | bytes | str | Path | Scene


@dataclass(frozen=True)
class ModelInfo:
    """What a model is, for lists and for small type under figures."""

    name: str
    family: str
    revision: str
    parameters: int
    device: str
    dtype: str
    lab: bool  # knows only lab scenes


@dataclass(frozen=True, eq=False)
class Prepared:
    """A picture and a question as one model reads them."""

    question: str
    image: Image.Image  # as uploaded
    inputs: Mapping[str, Any]  # tensors of the model's own making, batch of one
    tokens: tuple[str, ...]
    segments: np.ndarray  # int8 [position]
    grid: Grid

    @property
    def length(self) -> int:
        return len(self.tokens)


def as_image(picture: Picture) -> Image.Image:
    """The RGB picture in anything that `inspect` takes; a scene becomes the pixels that lab models get."""
    return render(picture) if isinstance(picture, Scene) else open_picture(picture)


@lru_cache(maxsize=64)
def drawing(scene: Scene) -> bytes:
    """A scene as people see it, PNG; kept, because drawing takes as long as a small model takes to answer."""
    return encode_png(draw(scene))


class VLM(ABC):
    """A vision-language model that can be looked into. One forward pass at a time: `lock` is held during each."""

    info: ModelInfo
    variants_at_once = 32  # of one input, in one batch

    def __init__(self) -> None:
        self.lock = threading.RLock()

    @property
    def name(self) -> str:
        return self.info.name

    @abstractmethod
    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        """Tensors, tokens, segments and grid. Raises QuestionError for a question the model cannot read."""

    @abstractmethod
    def sites(self, prepared: Prepared) -> Mapping[nn.Module, Site]:
        """The attention modules of the answering streams, in the order of the forward pass."""

    @abstractmethod
    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        """Logits that the answer is read from, [variant, candidate]; the variants differ only by edits."""

    @abstractmethod
    def rank(self, probabilities: np.ndarray) -> tuple[Answer, ...]:
        """The most probable answers, from probabilities [candidate]."""

    @abstractmethod
    def answer_many(self, pictures: Sequence[Scene], questions: Sequence[str]) -> list[str]:
        """The most probable answers to many questions, batched."""

    def generate(self, prepared: Prepared) -> str:
        """The whole answer, where a model says more than one word; "" where it does not."""
        return ""

    def listening(self) -> AbstractContextManager[object]:
        """What must be in place while the model computes, and is gone after it."""
        return nullcontext()

    # From here on: the same for every model.

    def inspect(
        self, picture: Picture, question: str, *, watch: Watch | None = None, edits: Sequence[Edit] = ()
    ) -> Trace:
        """Ask and record.

        Args:
            picture: anything that holds one: an image, an array, bytes, a path, a lab scene.
            question: as a person would type it.
            watch: which rows to keep; by default the answer's row and the question's.
            edits: interventions during the pass.
        """
        watch = watch or Watch()
        prepared = self.prepare(as_image(picture), question)
        with self.lock:
            logits, recorder = self.run(prepared, watch, edits)
            text = self.generate(prepared) if not edits else ""
        sites = self.sites(prepared)
        places, records = assemble(prepared, list(sites.values()), recorder.kept, watch)
        return Trace(
            model=self.name,
            revision=self.info.revision,
            question=prepared.question,
            picture=drawing(picture) if isinstance(picture, Scene) else encode_png(for_display(prepared.image)),
            picture_hash=picture_hash(prepared.image),
            tokens=prepared.tokens,
            segments=prepared.segments,
            grid=prepared.grid,
            places=places,
            answers=self.rank(logits.softmax(-1)[0].double().numpy()),
            text=text,
            rows=records,
            peaks=np.stack([peak.cpu().numpy() for _, peak in sorted(recorder.peaks.items())]),
        )

    def run(self, prepared: Prepared, watch: Watch | None, edits: Sequence[Edit] = ()) -> tuple[Tensor, Recorder]:
        """One forward pass: logits float32 [variant, candidate] on the CPU, and what the recorder kept."""
        sites = self.sites(prepared)
        recorder = Recorder(
            sites,
            prepared.segments,
            {site.name: watched_rows(site, prepared, watch) for site in sites.values()} if watch else {},
            contributions=bool(watch and watch.contributions),
            edits=edits,
        )
        variants = max((len(e.keys) for e in edits if isinstance(e, Knockout) and e.keys.ndim == 2), default=1)
        with torch.inference_mode(), self.listening(), recording(recorder):
            return self.logits(prepared, variants).float().cpu(), recorder

    def answer_probability(
        self, picture: Picture, question: str, candidate: int, knockouts: np.ndarray, progress: Progress | None = None
    ) -> np.ndarray:
        """Probability of one candidate answer under many knock-outs of image cells: bool [variant, cell] to [variant].

        Every row but the knocked-out tokens themselves stops reading them, at every layer.
        """
        prepared = self.prepare(as_image(picture), question)
        keys = np.zeros((len(knockouts), prepared.length), bool)
        keys[:, prepared.grid.positions] = knockouts
        found = []
        starts = range(0, len(keys), self.variants_at_once)
        for start in (progress or Progress()).over(starts, len(starts), "batch"):
            with self.lock:
                logits, _ = self.run(prepared, None, [Knockout(keys[start : start + self.variants_at_once])])
            found.append(logits.double().softmax(-1)[:, candidate].numpy())
        return np.concatenate(found) if found else np.zeros(0)

    def check(self) -> None:
        """The promises that every figure rests on, tried on one scene. Raises ModelError naming the broken one."""
        from vlmlens.lab.scenes import Thing

        scene = Scene((Thing(4, "red", "circle", "large"), Thing(0, "blue", "square", "small")))
        prepared = self.prepare(draw(scene, 336), "what color is the circle?")
        with self.lock:
            plain, _ = self.run(prepared, None)
            watched, recorder = self.run(prepared, Watch())
            image = prepared.segments == Segment.IMAGE
            blind, _ = self.run(prepared, None, [Knockout(image)])
        kept = [k.attention.sum(-1) for k in recorder.kept.values()]
        problems = {
            "watching must not change the answer": torch.equal(plain, watched),
            "every watched row must sum to 1": bool(kept)
            and all(torch.allclose(s, torch.ones_like(s), atol=1e-3) for s in kept),
            "there must be one cell of the grid for every image token": prepared.grid.cells == int(image.sum()),
            "hiding the whole picture must change something": not torch.equal(plain, blind),
            "every number must be finite": bool(torch.isfinite(plain).all() and torch.isfinite(blind).all()),
        }
        broken = [promise for promise, kept_it in problems.items() if not kept_it]
        if broken:
            raise ModelError(
                f"{self.name} loaded, but its inside cannot be shown truthfully: {broken[0]}. "
                "Pick another model, or report this one."
            )


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
    """Whether the answer is read from a learned query over a stream, and not from the last token."""
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
        )
        for (layer, _), group in grouped.items()
    )
    groups = list(grouped.values())
    records = {}
    if "last" in watch.rows:
        weights = np.zeros(prepared.length + 1)
        if pools(prepared):
            readout = next(site for site in sites if site.kind == "readout")
            pooled = kept[readout.name].attention[0].mean(dim=(0, 1)).double().cpu().numpy()
            weights[list(readout.keys)] = pooled
            weights[-1] = 1.0
            position = prepared.length
        else:
            position = prepared.length - 1
            weights[position] = 1.0
        records["last"] = _record([(position, weights)], groups, kept, prepared.length)
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
