"""The wirings of the lab behind the VLM protocol."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vlmlens.errors import NotApplicable
from vlmlens.lab.draw import PIXELS, render_array
from vlmlens.lab.fusion import STREAMS, TwoPools, places, where
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.scenes import Scene
from vlmlens.lab.sites import sites_of
from vlmlens.lab.text import encode, known_words
from vlmlens.lab.weights import LabName, load_wiring
from vlmlens.models.base import VLM, ModelInfo, Picture, as_image
from vlmlens.models.inside import Eyes
from vlmlens.models.many import Batch
from vlmlens.models.record import Prepared
from vlmlens.threads import one_thread
from vlmlens.trace import Answer, Grid, Segment, Site
from vlmlens.trace.capture import Recorder, recording


class LabVLM(VLM):
    """One trained wiring: a shipped one by its name, or any model under any name."""

    variants_at_once = 256
    items_at_once = 250

    def __init__(
        self, name: str, model: LabModel | None = None, family: str = "lab", revision: str = "", ignores: str = ""
    ) -> None:
        """`ignores` says why hiding the picture changes nothing, where it does not."""
        super().__init__()
        if model is None:
            lab = LabName.parse(name)
            name, model, revision = str(lab), load_wiring(lab), f"seed {lab.seed}"
        self.model = model
        self.wiring = model.fusion.wiring
        parameters = sum(p.numel() for p in model.parameters())
        self.info = ModelInfo(name, family, revision, parameters, "cpu", "float32", lab=True, ignores=ignores)

    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        words, told = self.words(question)
        with torch.inference_mode(), self.listening():
            image, text, mask = self.model.encode(torch.from_numpy(lab_pixels(picture)[None]), self.ids([question]))
        latents, side = self.model.fusion.queries, self.model.side
        patches = side * side
        segments = np.array([Segment.IMAGE] * patches + [*told] + [Segment.LATENT] * latents, np.int8)
        return Prepared(
            question=question,
            image=picture,
            inputs={"image": image, "text": text, "mask": mask, "pools": True},
            tokens=(*(f"patch {i + 1}" for i in range(patches)), *words, *(f"latent {i + 1}" for i in range(latents))),
            segments=segments,
            grid=Grid.regular((side, side), range(patches), picture.size),
        )

    def words(self, question: str) -> tuple[tuple[str, ...], tuple[Segment, ...]]:
        """The words that it reads, and what each stands for. Raises QuestionError where it cannot read them."""
        words = tuple(known_words(question))
        return words, (Segment.QUESTION,) * len(words)

    def ids(self, questions: Sequence[str]) -> Tensor:
        """The same words as ids [question, word]."""
        return encode(list(questions))

    def sites(self, prepared: Prepared) -> Mapping[nn.Module, Site]:
        patches = self.model.side**2
        return sites_of(self.model, patches, prepared.length - patches - self.model.fusion.queries)

    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        tensors = (prepared.inputs[name] for name in ("image", "text", "mask"))
        return self.model.fuse(*(t.expand(variants, *t.shape[1:]) for t in tensors))

    def read_out(self, states: Tensor) -> Tensor:
        if isinstance(self.model.readout.attention, TwoPools):
            raise NotApplicable(f"{self.name} reads picture and words apart; a lens at one of them shows nothing.")
        if "image" not in STREAMS[self.wiring.reads]:
            raise NotApplicable(f"{self.name} never reads its answer from image positions; a lens there shows nothing.")
        return self.model.readout(states[:, None], torch.ones(len(states), 1, dtype=torch.bool))

    def eyes(self, prepared: Prepared) -> Eyes:
        text, mask = prepared.inputs["text"], prepared.inputs["mask"]

        def logits(pixels: Tensor) -> Tensor:
            many = len(pixels)
            return self.model.fuse(self.model.see(pixels), text.expand(many, -1, -1), mask.expand(many, -1))

        side = self.model.side
        along = torch.arange(PIXELS) * side // PIXELS
        cells = (along[:, None] * side + along)[None, :, :, None]
        pixels = torch.from_numpy(lab_pixels(prepared.image)[None]).float()
        return Eyes(pixels, cells, logits, self.model.fusion.enter_image)

    def rank(self, probabilities: np.ndarray) -> tuple[Answer, ...]:
        order = np.argsort(-probabilities, kind="stable")
        return tuple(Answer(ANSWERS[i], float(probabilities[i]), int(i)) for i in order)

    def listening(self) -> AbstractContextManager[object]:
        torch.get_num_threads()  # torch sets a new thread up at its first use, and would undo a limit set before
        return one_thread("openmp")

    @property
    def points(self) -> tuple[str, ...]:
        return ("before fusion", *(f"after layer {i + 1}" for i in range(len(self.model.fusion.layers))))

    def batch(self, pictures: Sequence[Picture], questions: Sequence[str]) -> Batch:
        ids = self.ids(questions)
        with torch.inference_mode(), self.listening():
            image, text, mask = self.model.encode(torch.from_numpy(np.stack([lab_pixels(p) for p in pictures])), ids)
        asked = mask == 1  # with a planted model the mask also tells what stands around the question
        seen, none = asked.new_ones(len(ids), self.model.side**2), torch.zeros_like(asked)
        latents = asked.new_zeros(len(ids), self.model.fusion.queries)
        inputs = {"image": image, "text": text, "mask": mask}
        return Batch(inputs, torch.cat([seen, none, latents], 1), torch.cat([~seen, asked, latents], 1))

    def batch_logits(self, batch: Batch) -> Tensor:
        return self.model.fuse(*(batch.inputs[name] for name in ("image", "text", "mask")))

    def answer_text(self, candidate: int) -> str:
        return ANSWERS[candidate]

    def crossed(
        self, pictures: Sequence[Picture], questions: Sequence[str], lens: bool = False
    ) -> Iterator[tuple[slice, Tensor]]:
        """Pictures and questions are encoded once each; only the fusion runs for every pair."""
        ids = self.ids(questions)
        streams: dict[int, Tensor] = {}
        recorder = Recorder({}, np.zeros(0), {}, see=streams.__setitem__ if lens else None)
        with torch.inference_mode(), self.listening():
            text, mask = self.model.words(ids)
        latents, patches = self.model.fusion.queries, self.model.side**2
        reads = where(self.wiring.reads, places(patches, mask.shape[1], latents))
        whole = torch.cat([mask.new_ones(len(ids), patches), mask, mask.new_ones(len(ids), latents)], dim=1)[:, reads]
        for index, picture in enumerate(pictures):
            with self.lock, torch.inference_mode(), self.listening(), recording(recorder):
                image = self.model.see(torch.from_numpy(lab_pixels(picture)[None]))
                logits = [self.model.fuse(image.expand(len(ids), -1, -1), text, mask)]
                before = [
                    states for layer, states in sorted(streams.items()) if 0 < layer < len(self.model.fusion.layers)
                ]
                logits = [self.model.readout(states[:, reads], whole, patches) for states in before] + logits
            yield slice(index, index + 1), torch.stack(logits)[:, None]


def lab_pixels(picture: Picture) -> np.ndarray:
    """uint8 [48, 48, rgb], whatever the picture's size."""
    if isinstance(picture, Scene):
        return render_array(picture)
    return np.array(as_image(picture).resize((PIXELS, PIXELS), Image.Resampling.BOX))
