"""ViLT for visual question answering: words and patches in one sequence that all read each other, and a classifier.

The answer is read from the sequence's first token, and it is one of those that the config lists: the classifier scores
each of them alone, and the probabilities here are the softmax over its scores.

Positions: the picture's summary token, which has no place; its patches, row by row; the question's tokens but for the
first; and then that one, because the answer is read from it. Left to itself, the model shuffles the patches at every
pass (and draws some of them, where its config sets `max_image_length`); here it is given them all, in order.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vlmlens.errors import PictureError
from vlmlens.models.base import Picture
from vlmlens.models.bert import BertVLM, asked
from vlmlens.models.inside import Eyes
from vlmlens.models.loading import Opened
from vlmlens.models.many import Batch
from vlmlens.models.record import Prepared
from vlmlens.trace import Answer, Grid, Segment, Site
from vlmlens.trace.capture import entering, leaving
from vlmlens.trace.overhear import overhear

GIVEN = ("image", "seen", "input_ids", "attention_mask")


class ViltVLM(BertVLM):
    """A `ViltForQuestionAnswering`."""

    def __init__(self, opened: Opened, name: str | None = None) -> None:
        super().__init__(opened, name)
        self.layers = list(self.model.vilt.encoder.layer)
        self.entrance = nn.Identity()  # the patches go through it
        self.most_words = int(opened.config.max_position_embeddings)

    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        question = self._asked(question)
        words = self._words([question])
        pixels, real = self._pixels([picture])
        with torch.inference_mode():
            image, seen = self._look(pixels, real)
        patch = self.model.config.patch_size
        shape = pixels.shape[-2] // patch, pixels.shape[-1] // patch
        named = list(map(self.text_of, words["input_ids"][0].tolist()))
        of_words = np.where(words["added"][0].cpu().numpy(), Segment.INSTRUCTION, Segment.QUESTION)
        return Prepared(
            question=question,
            image=picture,
            inputs={"image": image, "seen": seen, "pixels": pixels, "real": real, **words},
            tokens=("picture", *(f"patch {i + 1}" for i in range(shape[0] * shape[1])), *named[1:], named[0]),
            segments=np.concatenate([np.full(image.shape[1], Segment.IMAGE), np.roll(of_words, -1)]).astype(np.int8),
            grid=Grid.regular(shape, range(1, image.shape[1]), picture.size),
            aside=(0,),
        )

    def sites(self, prepared: Prepared) -> Mapping[nn.Module, Site]:
        span = tuple(_order(prepared.inputs["input_ids"].shape[1], prepared.length).argsort().tolist())
        return {
            layer.attention: Site(f"vilt.encoder.layer.{i}.attention", i, "self", span, span, f"layer {i + 1}")
            for i, layer in enumerate(self.layers)
        }

    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        return self._answer(*(prepared.inputs[name].repeat_interleave(variants, dim=0) for name in GIVEN))

    def read_out(self, states: Tensor) -> Tensor:
        vilt = self.model.vilt
        logits: Tensor = self.model.classifier(vilt.pooler(vilt.layernorm(states)[:, None]))
        return logits

    def eyes(self, prepared: Prepared) -> Eyes:
        pixels, (rows, columns) = prepared.inputs["pixels"], prepared.grid.shape
        rest = [prepared.inputs[name] for name in ("real", *GIVEN[2:])]

        def logits(given: Tensor) -> Tensor:
            real, words, asked_for = (value.repeat_interleave(len(given), dim=0) for value in rest)
            states, seen = self._look(given, real)
            return self._answer(torch.cat([states[:, :1], self.entrance(states[:, 1:])], dim=1), seen, words, asked_for)

        patch = self.model.config.patch_size
        down, across = torch.arange(rows * patch) // patch, torch.arange(columns * patch) // patch
        cells = (down[:, None] * columns + across).to(pixels.device)[None, None]
        return Eyes(pixels, cells, logits, self.entrance)

    def _named(self, candidate: int, probabilities: np.ndarray) -> Answer:
        """An answer of the config's list."""
        return Answer(self._label(candidate), float(probabilities[candidate]), candidate)

    def answer_text(self, candidate: int) -> str:
        return self._label(candidate).lower()

    @property
    def points(self) -> tuple[str, ...]:
        return ("before the encoder", *(f"after layer {i + 1}" for i in range(len(self.layers))))

    def batch(self, pictures: Sequence[Picture], questions: Sequence[str]) -> Batch:
        words = self._words([self._asked(question) for question in questions])
        with torch.inference_mode():
            image, seen = self._look(*self._pixels([self.image(picture) for picture in pictures]))
        question = (~words["added"]).roll(-1, dims=1)
        return Batch(
            {"image": image, "seen": seen, **words},
            torch.cat([seen.bool(), torch.zeros_like(question)], dim=1),
            torch.cat([torch.zeros_like(seen, dtype=torch.bool), question], dim=1),
        )

    def batch_logits(self, batch: Batch) -> Tensor:
        return self._answer(*(batch.inputs[name] for name in GIVEN))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Layers show the active recorder their states, and attention what it did, until the block ends."""
        words = 0  # how many tokens of the question stand before the picture in this pass

        def begin(_module: nn.Module, _args: object, kwargs: dict[str, Any]) -> None:
            nonlocal words
            words = kwargs["input_ids"].shape[1]

        def shown(how: Any, layer: int, states: Tensor) -> Tensor:
            order = _order(words, states.shape[1]).to(states.device)
            changed: Tensor = how(layer, states[:, order], range(len(order)))
            return changed[:, order.argsort()]

        def enter(number: int) -> Any:
            def hook(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
                return (shown(entering, number, args[0]), *args[1:])

            return hook

        def left(_module: nn.Module, _args: object, output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            return (shown(leaving, len(self.layers), output[0]), *output[1:])

        handles = []
        with self.lock:
            try:
                handles.append(self.model.register_forward_pre_hook(begin, with_kwargs=True))
                for number, layer in enumerate(self.layers):
                    handles.append(layer.register_forward_pre_hook(enter(number)))
                    handles.append(layer.attention.attention.register_forward_hook(_heard(layer.attention)))
                handles.append(self.layers[-1].register_forward_hook(left))
                yield
            finally:
                for handle in handles:
                    handle.remove()

    def _pixels(self, pictures: Sequence[Image.Image]) -> tuple[Tensor, Tensor]:
        """Pixels [item, rgb, y, x], padded to one size, and which of them are real [item, y, x]."""
        images = self.processor.image_processor
        try:
            found = images(list(pictures), return_tensors="pt")
        except ValueError as error:
            shapes = " and ".join(f"{picture.width} x {picture.height}" for picture in pictures)
            raise PictureError(f"{self.name} cannot read a picture as long and narrow as {shapes}; crop it.") from error
        device = self.model.device
        return found["pixel_values"].to(device, self.model.dtype), found["pixel_mask"].to(device)

    def _look(self, pixels: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """States of the summary and the patches, in order [item, 1 + patch, width], and which of them are real."""
        states, seen, (index, (_, columns)) = self.model.vilt.embeddings.visual_embed(pixels, real, -1)
        number = index[..., 0] * columns + index[..., 1] + (1 - seen[:, 1:]) * index.new_tensor(pixels[0, 0].numel())
        order = torch.cat([torch.zeros_like(number[:, :1]), 1 + number.argsort(dim=1)], dim=1)  # padding comes last
        return states.gather(1, order[..., None].expand(states.shape)), seen.gather(1, order)

    def _answer(self, image: Tensor, seen: Tensor, ids: Tensor, real: Tensor) -> Tensor:
        """Scores of the answers, [item, candidate]."""
        logits: Tensor = self.model(input_ids=ids, attention_mask=real, image_embeds=image, pixel_mask=seen).logits
        return logits

    def _label(self, candidate: int) -> str:
        return str(self.model.config.id2label[int(candidate)])


def _order(words: int, length: int) -> Tensor:
    """Where in the model's sequence each position stands: there words come first, and the first of them leads."""
    return torch.cat([torch.arange(words, length), torch.arange(1, words), torch.zeros(1, dtype=torch.long)])


def _heard(attention: nn.Module) -> Any:
    """Lets the recorder hear a `ViltAttention`, by a hook on the part of it that computes the weights."""

    def hook(inner: nn.Module, args: tuple[Any, ...], output: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (overhear(attention, partial(asked, inner, args[0], args[0], args[1]), output[0]), *output[1:])

    return hook
