"""BLIP for visual question answering: words that look at the picture, and a decoder that reads only the words.

The question encoder's words attend to each other and then, by cross-attention, to the picture; the answer decoder's
first token attends to the words alone. So the answering row never sees the picture itself: the decoder is a readout of
the question encoder. At every layer of the encoder the answer's row is made from the rows of all words, each weighted
by the attention that the decoder's first token pays to it, mean over the decoder's layers and heads. The row of a later
token of the answer is made in the same way, by what the decoder paid to the words in the pass that gave that token.

Positions: the picture's summary token, which has no place; its patches, row by row; the question's tokens; then the
answer's. The decoder's own first token is none of them, it is the readout's query. The decoder's attention to what it
has said before is no site, and so never in a trace. The vision encoder runs once for all that is asked of one picture.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vlmlens.errors import NotApplicable
from vlmlens.models.base import Picture
from vlmlens.models.bert import BertVLM, asked
from vlmlens.models.beside import Beside
from vlmlens.models.inside import Eyes
from vlmlens.models.loading import Opened
from vlmlens.models.many import Batch
from vlmlens.models.record import Prepared
from vlmlens.trace import Grid, Segment, Site
from vlmlens.trace.capture import Recorder, changed, entering, leaving, recording
from vlmlens.trace.overhear import overhear


class BlipVLM(BertVLM):
    """A `BlipForQuestionAnswering`. Its attention is written out, so it is heard by hooks."""

    branching = False  # picture and words are two streams, of which only one passes through the layers

    def __init__(self, opened: Opened, name: str | None = None) -> None:
        super().__init__(opened, name)
        self.layers = list(self.model.text_encoder.encoder.layer)
        self.readers = list(self.model.text_decoder.bert.encoder.layer)
        self.entrance = nn.Identity()  # the patches go through it
        self.most_words = int(self.model.config.text_config.max_position_embeddings)

    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        question = self._asked(question)
        words = self._words([question])
        pixels = self._pixels([picture])
        with torch.inference_mode():
            image = self._look(pixels)
        patch = self.model.config.vision_config.patch_size
        height, width = pixels.shape[-2:]
        shape = height // patch, width // patch
        seen = picture.width * shape[1] * patch / width, picture.height * shape[0] * patch / height
        segments = np.full(image.shape[1] + words["input_ids"].shape[1], Segment.INSTRUCTION, np.int8)
        segments[: image.shape[1]] = Segment.IMAGE
        segments[image.shape[1] :][~words["added"][0].cpu().numpy()] = Segment.QUESTION
        return Prepared(
            question=question,
            image=picture,
            inputs={"image": image, "pixels": pixels, "pools": True, **words},
            tokens=(
                "picture",
                *(f"patch {i + 1}" for i in range(shape[0] * shape[1])),
                *map(self.text_of, words["input_ids"][0].tolist()),
            ),
            segments=segments,
            grid=Grid.regular(shape, range(1, image.shape[1]), picture.size, (0.0, 0.0, *seen)),
            aside=(0,),
        )

    def sites(self, prepared: Prepared) -> Mapping[nn.Module, Site]:
        picture = tuple(range(prepared.inputs["image"].shape[1]))
        words = tuple(range(len(picture), prepared.length))
        found: dict[nn.Module, Site] = {}
        for i, layer in enumerate(self.layers):
            name = f"text_encoder.encoder.layer.{i}"
            found[layer.attention] = Site(f"{name}.attention", i, "self", words, words, f"layer {i + 1}")
            label = f"layer {i + 1}: words → picture"
            found[layer.crossattention] = Site(f"{name}.crossattention", i, "cross", words, picture, label)
        for i, layer in enumerate(self.readers):
            name = f"text_decoder.bert.encoder.layer.{i}.crossattention"
            label = f"answer decoder, layer {i + 1}: reads the words"
            number = len(self.layers) + i
            found[layer.crossattention] = Site(name, number, "readout", (prepared.length,), words, label)
        return found

    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        given = (prepared.inputs[name] for name in ("image", "input_ids", "attention_mask"))
        return self._answer(*(tensor.expand(variants, *tensor.shape[1:]) for tensor in given))

    def read_out(self, states: Tensor) -> Tensor:
        raise NotApplicable(f"{self.name} never reads its answer from image positions; a lens there shows nothing.")

    def eyes(self, prepared: Prepared) -> Eyes:
        pixels, (rows, columns) = prepared.inputs["pixels"], prepared.grid.shape
        words, real = prepared.inputs["input_ids"], prepared.inputs["attention_mask"]

        def logits(given: Tensor) -> Tensor:
            states = self._look(given)
            states = torch.cat([states[:, :1], self.entrance(states[:, 1:])], dim=1)
            return self._answer(states, words.expand(len(given), -1), real.expand(len(given), -1))

        patch = self.model.config.vision_config.patch_size
        height, width = pixels.shape[-2:]
        down = (torch.arange(height) // patch).clamp_max(rows - 1)
        across = (torch.arange(width) // patch).clamp_max(columns - 1)
        cells = (down[:, None] * columns + across).to(pixels.device)[None, None]
        return Eyes(pixels, cells, logits, self.entrance)

    def _spoken(self, prepared: Prepared) -> tuple[Any, Prepared]:
        given = {name: prepared.inputs[name] for name in ("image", "input_ids", "attention_mask")}
        start = torch.full((1, 1), self.model.decoder_start_token_id, device=self.model.device)
        inputs = {
            "input_ids": start,
            "encoder_hidden_states": self._encode(*given.values()),
            "encoder_attention_mask": given["attention_mask"],
            "eos_token_id": self.model.config.text_config.sep_token_id,
            "pad_token_id": self.model.config.text_config.pad_token_id,
        }
        return self.model.text_decoder, replace(prepared, inputs=inputs)

    @property
    def points(self) -> tuple[str, ...]:
        return ("before the question encoder", *(f"after layer {i + 1}" for i in range(len(self.layers))))

    def batch(self, pictures: Sequence[Picture], questions: Sequence[str]) -> Batch:
        words = self._words([self._asked(question) for question in questions])
        with torch.inference_mode():
            image = self._look(self._pixels([self.image(picture) for picture in pictures]))
        question = ~words["added"]
        seen = question.new_ones(image.shape[:2])
        return Batch(
            {"image": image, **words},
            torch.cat([seen, torch.zeros_like(question)], dim=1),
            torch.cat([~seen, question], dim=1),
        )

    def batch_logits(self, batch: Batch) -> Tensor:
        return self._answer(*(batch.inputs[name] for name in ("image", "input_ids", "attention_mask")))

    def crossed(
        self, pictures: Sequence[Picture], questions: Sequence[str], lens: bool = False
    ) -> Iterator[tuple[slice, Tensor]]:
        """Each picture passes the vision encoder once; the lens lets the decoder read the words of earlier layers."""
        words = self._words([self._asked(question) for question in questions])
        for index, picture in enumerate(pictures):
            with torch.inference_mode():
                image = self._look(self._pixels([self.image(picture)]))
            parts = []
            for start in range(0, len(questions), self.items_at_once):
                ids, real = (
                    words[name][start : start + self.items_at_once] for name in ("input_ids", "attention_mask")
                )
                states: dict[int, Tensor] = {}
                recorder = Recorder({}, np.zeros(0), {}, see=states.__setitem__ if lens else None)
                with self.lock, torch.inference_mode(), self.listening():
                    with recording(recorder):
                        logits = [self._answer(image.expand(len(ids), -1, -1), ids, real)]
                    between = [states[layer][:, image.shape[1] :] for layer in sorted(states)[1:-1]]
                    through = [self._read(each, real) for each in between]
                parts.append(torch.stack(through + logits).float().cpu())
            yield slice(index, index + 1), torch.cat(parts, dim=1)[:, None]

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Layers show the active recorder their states, and attention what it did, until the block ends.

        What is shown is the picture, as wide as the words, and the words that pass through the layers beside it.
        """
        beside = Beside()
        read: dict[str, Tensor] = {}  # what the decoder reads, as edits have left it

        def enter(number: int) -> Any:
            def hook(_module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
                if number == 0:
                    beside.image = args[1]
                words = beside.show(entering, number, args[0])
                return (words, beside.image), kwargs

            return hook

        def left(_module: nn.Module, _args: object, words: Tensor) -> Tensor:
            return beside.show(leaving, len(self.layers), words)

        def reading(number: int) -> Any:
            def hook(_module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
                words = args[1] if number == 1 else read["words"]
                patches = beside.image.shape[1]
                read["words"] = changed(len(self.layers) + number, words, range(patches, patches + words.shape[1]))
                return (args[0], read["words"]), kwargs

            return hook

        handles = []
        with self.lock:
            try:
                for number, layer in enumerate(self.layers):
                    handles.append(layer.register_forward_pre_hook(enter(number), with_kwargs=True))
                handles.append(self.layers[-1].register_forward_hook(left))
                for number, layer in enumerate(self.readers[1:], start=1):
                    handles.append(layer.register_forward_pre_hook(reading(number), with_kwargs=True))
                for layer in (*self.layers, *self.readers):
                    for attention in (layer.attention, layer.crossattention):
                        handles.append(attention.self.register_forward_pre_hook(_with_its_mask, with_kwargs=True))
                        handles.append(attention.self.register_forward_hook(_heard(attention), with_kwargs=True))
                yield
            finally:
                for handle in handles:
                    handle.remove()

    def _pixels(self, pictures: Sequence[Image.Image]) -> Tensor:
        pixels: Tensor = self.processor.image_processor(list(pictures), return_tensors="pt")["pixel_values"]
        return pixels.to(self.model.device, self.model.dtype)

    def _look(self, pixels: Tensor) -> Tensor:
        """The picture's states [item, 1 + patch, width]."""
        states: Tensor = self.model.vision_model(pixel_values=pixels).last_hidden_state
        return states

    def _answer(self, image: Tensor, ids: Tensor, real: Tensor) -> Tensor:
        """Logits of the answer's first token, [item, candidate]."""
        return self._read(self._encode(image, ids, real), real)

    def _encode(self, image: Tensor, ids: Tensor, real: Tensor) -> Tensor:
        """What the decoder reads: the words' states [item, word, width]."""
        encoded = self.model.text_encoder(input_ids=ids, attention_mask=real, encoder_hidden_states=image)
        states: Tensor = encoded.last_hidden_state
        return states

    def _read(self, words: Tensor, real: Tensor) -> Tensor:
        start = torch.full((len(words), 1), self.model.decoder_start_token_id, device=words.device)
        logits: Tensor = self.model.text_decoder(
            input_ids=start, encoder_hidden_states=words, encoder_attention_mask=real, use_cache=False
        ).logits
        return logits[:, -1]


def _with_its_mask(_module: nn.Module, args: Any, kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """Cross-attention looks for its mask under another name than it is given by, and would read padding (5.23)."""
    return args, {**kwargs, "encoder_attention_mask": kwargs["attention_mask"]}


def _heard(attention: nn.Module) -> Any:
    """Lets the recorder hear a `BlipTextAttention`, by a hook on the part of it that computes the weights."""

    def hook(inner: Any, args: tuple[Tensor, ...], kwargs: dict[str, Any], output: tuple[Tensor, Tensor]) -> Any:
        other = kwargs["encoder_hidden_states"]
        wanted = partial(asked, inner, args[0], args[0] if other is None else other, kwargs["attention_mask"])
        return overhear(attention, wanted, output[0]), output[1]

    return hook
