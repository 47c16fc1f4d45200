"""What every detector works with: one model, one probe set, and what was seen of the model on it, each seen once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from vlmlens.diagnostics.bench import Bench
from vlmlens.diagnostics.crossed import Answers, Runner
from vlmlens.diagnostics.probe import ProbeSet, lab_probe
from vlmlens.diagnostics.scoring import scoring
from vlmlens.errors import NotApplicable
from vlmlens.lab.model import LabModel
from vlmlens.models import VLM
from vlmlens.models.record import Prepared
from vlmlens.progress import Progress
from vlmlens.trace import Segment, Site
from vlmlens.trace.capture import Recorder, recording

LOOKS = 12  # items whose attention is looked at, each on another picture
MOST_WEIGHTS = 200_000  # of one site; with more, only the rows of question and answer are kept
SCENES, QUESTIONS = 24, 8


@dataclass(frozen=True, eq=False)
class Looked:
    """What one site's attention did for one item; padding has no rows."""

    site: Site
    attention: np.ndarray  # [head, row, key]
    visible: np.ndarray  # bool [row, key]
    written: np.ndarray | None = None  # [row], norm of what attention adds to a row
    stream: np.ndarray | None = None  # [row], norm of what it is added to

    @property
    def shown(self) -> list[list[float]]:
        """Mean over heads, to be drawn: [row][key]."""
        found: list[list[float]] = self.attention.mean(axis=0).astype(float).round(4).tolist()
        return found


@dataclass(frozen=True, eq=False)
class Evidence:
    """`probe` is crossed: every question is asked of every picture."""

    vlm: VLM
    probe: ProbeSet = field(default_factory=lambda: lab_probe(0, SCENES, QUESTIONS))
    seed: int = 0
    progress: Progress = field(default_factory=Progress)

    @cached_property
    def bench(self) -> Bench:
        """The answers to the probe set."""
        runner = Runner(self.vlm, scoring(self.vlm, self.probe), self.probe.vocabulary, Answers(), self.progress)
        runner.doing, runner.span = self.progress.doing, (self.progress.fraction, self.progress.fraction)
        return Bench(self.vlm, self.probe, runner, self.seed)

    @cached_property
    def lab(self) -> LabModel | None:
        """The lab model inside, whose weights and gradients can be had; None of others."""
        model = getattr(self.vlm, "model", None)
        return model if isinstance(model, LabModel) else None

    @cached_property
    def prepared(self) -> tuple[Prepared, ...]:
        """The items whose attention is looked at: each picture once, the questions in turn."""
        pictures = self.probe.pictures[:LOOKS]
        texts = self.probe.questions
        return tuple(self.vlm.prepare(self.vlm.image(p), texts[i % len(texts)]) for i, p in enumerate(pictures))

    @cached_property
    def looked(self) -> tuple[Mapping[str, Looked], ...]:
        """For each item, site name -> what it did, in the order of the forward pass; readouts left out."""
        return tuple(self._look(prepared) for prepared in self.prepared)

    @cached_property
    def clean(self) -> tuple[np.ndarray, ...]:
        """Probabilities of the answers to these items, float64 [candidate]."""
        return tuple(self.answers(prepared) for prepared in self.prepared)

    @cached_property
    def features(self) -> np.ndarray:
        """What the vision encoder makes of each picture, float64 [picture, feature of every patch].

        Of models other than the lab's, the states of the picture's tokens as they enter the first layer that answers.
        """
        question = self.probe.questions[0]
        found = []
        for picture in self.probe.pictures:
            self.progress.check()
            batch = self.vlm.batch([picture], [question])
            if self.lab is not None:
                found.append(batch.inputs["image"][0].flatten())
                continue
            states: dict[int, Tensor] = {}
            recorder = Recorder({}, np.zeros(0), {}, see=states.__setitem__)
            with self.vlm.lock, torch.inference_mode(), self.vlm.listening(), recording(recorder):
                self.vlm.batch_logits(batch)
            if not states or not bool(batch.image[0].any()):
                raise NotApplicable(f"{self.vlm.name} has no positions where features of the picture could be read.")
            found.append(states[min(states)][0][batch.image[0]].float().flatten().cpu())
        if len({len(one) for one in found}) > 1:
            raise NotApplicable("The pictures have different numbers of tokens, which cannot be compared one by one.")
        return torch.stack(found).double().numpy()

    def answers(self, prepared: Prepared) -> np.ndarray:
        """Probabilities of the answers to one item, float64 [candidate]."""
        self.progress.check()
        with self.vlm.lock:
            logits, _ = self.vlm.run(prepared, None)
        found: np.ndarray = logits[0].double().softmax(-1).numpy()
        return found

    def _look(self, prepared: Prepared) -> Mapping[str, Looked]:
        self.progress.check()
        vlm = self.vlm
        sites = {module: site for module, site in vlm.sites(prepared).items() if site.kind != "readout"}
        few = {prepared.row, *np.flatnonzero(prepared.segments == Segment.QUESTION).tolist()}
        rows = {
            site.name: [q for q in site.queries if len(site.queries) * len(site.keys) <= MOST_WEIGHTS or q in few]
            for site in sites.values()
        }
        norms: dict[int, Tensor] = {}

        def see(layer: int, states: Tensor) -> None:
            norms[layer] = states[0].float().norm(dim=-1).cpu()

        recorder = Recorder(sites, prepared.segments, rows, after=vlm.after, see=see)
        with vlm.lock, torch.inference_mode(), vlm.listening(), recording(recorder):
            vlm.logits(prepared)
        found = {}
        for site in sites.values():
            kept = recorder.kept.get(site.name)
            if kept is None:
                continue
            update, stream = kept.update, norms.get(site.layer)
            positions = np.asarray(site.queries)[kept.rows.cpu().numpy()]
            inside = stream is not None and len(positions) > 0 and int(positions.max()) < len(stream)
            found[site.name] = Looked(
                site,
                kept.attention[0].float().cpu().numpy(),
                kept.visible[0].cpu().numpy(),
                None if update is None else update[0].norm(dim=-1).cpu().numpy(),
                stream[positions].numpy() if stream is not None and inside else None,
            )
        return found
