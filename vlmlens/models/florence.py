"""Florence-2: an encoder whose picture and words all read each other, and a decoder that reads what they became.

The decoder is a readout of the encoder: at each of its layers the token that the answer is read from attends to
picture and words in one softmax. At the encoder's layers, the answer's row is made from the rows of all positions, each
weighted by the attention that token pays to it, mean over the decoder's layers and heads. The row of a later token of
the answer is made in the same way, by what was paid in the pass that gave that token; the encoder runs once.

Positions: the picture's summary token, which has no place; its tokens, row by row; the words; and the tokens that every
answer begins with, of which the answer is read from the last; then the answer's. The vision encoder runs once for all
that is asked of one picture.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vlmlens.errors import NotApplicable, QuestionError, first_line
from vlmlens.models.base import Picture
from vlmlens.models.inside import Eyes
from vlmlens.models.loading import Opened
from vlmlens.models.many import Batch
from vlmlens.models.pretrained import Pretrained
from vlmlens.models.record import Prepared
from vlmlens.trace import Grid, Segment, Site
from vlmlens.trace.capture import changed, entering, leaving
from vlmlens.trace.segments import lattice

GIVEN = ("image", "input_ids", "attention_mask")


class FlorenceVLM(Pretrained):
    """A `Florence2ForConditionalGeneration`."""

    branching = False  # the decoder begins anew, with its own tokens

    def __init__(self, opened: Opened, name: str | None = None) -> None:
        super().__init__(opened, name)
        language = self.model.model.language_model
        self.encoder, self.decoder = language.encoder, language.decoder
        self.layers, self.readers = list(self.encoder.layers), list(self.decoder.layers)
        self.entrance = nn.Identity()  # the image tokens go through it
        begins = self.model.generation_config
        start = begins.decoder_start_token_id
        start = opened.config.text_config.decoder_start_token_id if start is None else start
        self.begin = [int(token) for token in (start, begins.forced_bos_token_id) if token is not None]

        # Its other signs are what some answers are made of: places on the picture.
        self.ends = {self.tokenizer.eos_token_id, self.tokenizer.pad_token_id}

    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        question = self._asked(question)
        inputs = self._processed([picture], [question])
        with torch.inference_mode():
            image, shape = self._look(inputs["pixel_values"])
        ids = inputs["input_ids"][0]
        patches = image.shape[1]
        segments = np.append(self._segments(ids), np.full(len(self.begin), Segment.BOS, np.int8))
        return Prepared(
            question=question,
            image=picture,
            inputs={"image": image, "pools": True, **inputs},
            tokens=(
                "picture",
                *(f"patch {i + 1}" for i in range(patches - 1)),
                *map(self.text_of, [*ids.tolist()[patches:], *self.begin]),
            ),
            segments=segments,
            grid=self._grid(inputs["pixel_values"].shape[-2:], shape, picture.size),
            aside=(0,),
            first=len(segments) - 1,
        )

    def prepare_with(self, picture: Image.Image, second: Image.Image, question: str) -> Prepared:
        raise NotApplicable(f"{self.family.name} reads one picture; it has no place for a second one.")

    def sites(self, prepared: Prepared) -> Mapping[nn.Module, Site]:
        read = tuple(range(prepared.length - len(self.begin)))
        said = tuple(range(len(read), prepared.length))
        found: dict[nn.Module, Site] = {}
        for i, layer in enumerate(self.layers):
            name = f"model.language_model.encoder.layers.{i}.self_attn"
            found[layer.self_attn] = Site(name, i, "self", read, read, f"layer {i + 1}")
        for i, layer in enumerate(self.readers):
            name, number = f"model.language_model.decoder.layers.{i}", len(self.layers) + i
            label = f"answer decoder, layer {i + 1}"
            found[layer.self_attn] = Site(f"{name}.self_attn", number, "self", said, said, label)
            site = Site(f"{name}.encoder_attn", number, "readout", said, read, f"{label}: reads picture and words")
            found[layer.encoder_attn] = site
        return found

    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        return self._answer(*(prepared.inputs[name].repeat_interleave(variants, dim=0) for name in GIVEN))

    def read_out(self, states: Tensor) -> Tensor:
        raise NotApplicable(
            f"{self.name} reads its answer from its decoder's tokens and not from image positions; a lens there shows "
            "nothing."
        )

    def eyes(self, prepared: Prepared) -> Eyes:
        pixels, (rows, columns) = prepared.inputs["pixel_values"], prepared.grid.shape
        rest = [prepared.inputs[name] for name in GIVEN[1:]]

        def logits(given: Tensor) -> Tensor:
            states, _ = self._look(given)
            states = torch.cat([states[:, :1], self.entrance(states[:, 1:])], dim=1)
            return self._answer(states, *(value.repeat_interleave(len(given), dim=0) for value in rest))

        # A pixel belongs to the cell that its middle lies in.
        down, across = (
            torch.bucketize(torch.arange(length) + 0.5, torch.from_numpy(self._edges(length, count)[1:-1]))
            for length, count in zip(pixels.shape[-2:], (rows, columns), strict=True)
        )
        cells = (down[:, None] * columns + across).to(pixels.device)[None, None]
        return Eyes(pixels, cells, logits, self.entrance)

    def _spoken(self, prepared: Prepared) -> tuple[Any, Prepared]:
        inputs = {
            "encoder_outputs": self._encode(*(prepared.inputs[name] for name in GIVEN)),
            "attention_mask": prepared.inputs["attention_mask"],
            "decoder_input_ids": torch.tensor([self.begin], device=self.model.device),
        }
        return self.model, replace(prepared, inputs=inputs)

    @property
    def points(self) -> tuple[str, ...]:
        return ("before the encoder", *(f"after layer {i + 1}" for i in range(len(self.layers))))

    def batch(self, pictures: Sequence[Picture], questions: Sequence[str]) -> Batch:
        asked = [self._asked(question) for question in questions]
        inputs = self._processed([self.image(picture) for picture in pictures], asked)
        with torch.inference_mode():
            image, _ = self._look(inputs["pixel_values"])
        segments = torch.stack([torch.from_numpy(self._segments(ids)) for ids in inputs["input_ids"]])
        segments = segments.to(image.device)
        return Batch({"image": image, **inputs}, segments == int(Segment.IMAGE), segments == int(Segment.QUESTION))

    def batch_logits(self, batch: Batch) -> Tensor:
        return self._answer(*(batch.inputs[name] for name in GIVEN))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """The encoder's layers show the active recorder their states, the decoder's let it edit them, until the end."""
        read: dict[str, Tensor] = {}  # what the decoder reads, as edits have left it

        def enter(number: int) -> Any:
            def hook(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
                return (entering(number, args[0], range(args[0].shape[1])), *args[1:])

            return hook

        def left(_module: nn.Module, _args: object, states: Tensor) -> Tensor:
            return leaving(len(self.layers), states, range(states.shape[1]))

        def reading(number: int) -> Any:
            def hook(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
                states, layer = read["states"] if number else args[2], len(self.layers) + number
                length = states.shape[1]
                said = changed(layer, args[0], range(length, length + len(self.begin)))
                # The first reader has what left the encoder, where its edits have been made already.
                read["states"] = changed(layer, states, range(length)) if number else states
                return (said, args[1], read["states"], *args[3:])

            return hook

        handles = []
        with self.lock:
            try:
                for number, layer in enumerate(self.layers):
                    handles.append(layer.register_forward_pre_hook(enter(number)))
                handles.append(self.layers[-1].register_forward_hook(left))
                for number, layer in enumerate(self.readers):
                    handles.append(layer.register_forward_pre_hook(reading(number)))
                yield
            finally:
                for handle in handles:
                    handle.remove()

    def _processed(self, pictures: list[Image.Image], questions: list[str]) -> dict[str, Tensor]:
        try:
            inputs = self.processor(
                images=pictures, text=questions, padding=True, padding_side="right", return_tensors="pt"
            )
        except ValueError as error:  # a task's sign with words beside it
            raise QuestionError(f"{self.family.name} cannot be asked that: {first_line(error)}") from error
        most = self.model.config.text_config.max_position_embeddings
        if inputs["input_ids"].shape[1] > most:
            raise QuestionError(f"The question is too long for {self.name}, which reads {most} tokens; shorten it.")
        found = {name: inputs[name].to(self.model.device) for name in ("pixel_values", *GIVEN[1:])}
        return found | {"pixel_values": found["pixel_values"].to(self.model.dtype)}

    def _segments(self, ids: Tensor) -> np.ndarray:
        """Who is who in the encoder, int8 [position]; a question holds none of the tokenizer's signs."""
        signs = np.isin(ids.cpu().numpy(), self.tokenizer.all_special_ids)
        segments = np.where(signs, Segment.INSTRUCTION, Segment.QUESTION).astype(np.int8)
        segments[(ids == self.tokenizer.bos_token_id).cpu().numpy()] = Segment.BOS
        segments[(ids == self.model.config.image_token_id).cpu().numpy()] = Segment.IMAGE
        return segments

    def _look(self, pixels: Tensor) -> tuple[Tensor, tuple[int, int]]:
        """The picture's summary and tokens [item, 1 + token, width], and the rows and columns of the tokens."""
        seen = self.model.model.get_image_features(pixels)
        rows, columns = seen.last_hidden_state.shape[-2:]
        return seen.pooler_output, (rows, columns)

    def _edges(self, length: int, count: int) -> np.ndarray:
        """Where the cells of so many tokens end, in pixels of the model's input: float [count + 1].

        Each token is the end of convolutions that overlap; its cell is what lies nearer to their middle than to any
        other's. That is half a cell before where equal cells would be: the first is a half, the last one and a half.
        """
        vision = self.model.config.vision_config
        middle, stride = 0.0, 1
        for size, step, padding in zip(vision.patch_size, vision.patch_stride, vision.patch_padding, strict=True):
            middle += ((size - 1) / 2 - padding) * stride
            stride *= step
        edges = middle + 0.5 + stride * (np.arange(count + 1) - 0.5)
        edges[[0, -1]] = 0, length
        return edges

    def _grid(self, pixels: Sequence[int], shape: tuple[int, int], size: tuple[int, int]) -> Grid:
        rows, columns = (
            self._edges(length, count) * whole / length
            for length, count, whole in zip(pixels, shape, size[::-1], strict=True)
        )
        return Grid(lattice(rows, columns), np.arange(1, shape[0] * shape[1] + 1), size, shape)

    def _answer(self, image: Tensor, ids: Tensor, real: Tensor) -> Tensor:
        """Logits of the answer's first token, [item, candidate]."""
        encoded = self._encode(image, ids, real).last_hidden_state
        begin = torch.tensor([self.begin] * len(encoded), device=encoded.device)
        said = self.decoder(
            input_ids=begin, encoder_hidden_states=encoded, encoder_attention_mask=real, use_cache=False
        ).last_hidden_state
        logits: Tensor = self.model.lm_head(said[:, -1])
        return logits

    def _encode(self, image: Tensor, ids: Tensor, real: Tensor) -> Any:
        """What the decoder reads, as the encoder returns it."""
        words = self.model.get_input_embeddings()(ids)
        places = (ids == self.model.config.image_token_id)[..., None]
        both = words.masked_scatter(places, image.to(words.dtype))
        return self.encoder(inputs_embeds=both, attention_mask=real)
