"""BLIP-2 and InstructBLIP: between the vision tower and a causal decoder stands a Q-Former.

Its learned queries read the tower's patches by cross-attention, in some of its layers; what becomes of them are the
picture's tokens in the decoder's sequence. A query has no place on the picture. What the decoder pays to one is
therefore spread over the patches as the Q-Former's cross-attention of that query is: mean over the heads and over the
layers that have any, renormalised over the patches. That queries also read each other, and patches each other in the
tower, is left out.

Positions: the tower's summary token, which has no place; its patches, row by row; the queries; the words. Patches enter
no layer of the decoder: to hide one is to keep the Q-Former from reading it. To hide the picture is to keep the decoder
from reading the queries. InstructBLIP's Q-Former reads the prompt as well, in a tokenizer's words of its own; hiding
the decoder's words does not hide those. The tower runs once for all that is asked of one picture.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vlmlens.errors import ModelError, QuestionError
from vlmlens.models.base import VLM, Picture
from vlmlens.models.huggingface import PLACE, HuggingFaceVLM, within
from vlmlens.models.inside import Eyes
from vlmlens.models.loading import Opened
from vlmlens.models.many import Batch, repeated, who_is_who
from vlmlens.models.record import Prepared, Said
from vlmlens.progress import Progress
from vlmlens.trace import Edit, Segment, Site, Watch
from vlmlens.trace.capture import Recorder, recording

ASKED = ("input_ids", "attention_mask", "qformer_input_ids", "qformer_attention_mask")  # the last two if it reads words


class QFormerVLM(HuggingFaceVLM):
    """A `Blip2ForConditionalGeneration` or an `InstructBlipForConditionalGeneration`."""

    def __init__(self, opened: Opened, name: str | None = None) -> None:
        super().__init__(opened, name)
        vision = opened.config.vision_config
        self.side = vision.image_size // vision.patch_size
        self.before = 1 + self.side**2
        self.queries = int(opened.config.num_query_tokens)
        self.decoder = self.model.language_model
        self.entrance = nn.Identity()  # the patches go through it
        self.qformer_tokenizer = getattr(self.processor, "qformer_tokenizer", None)  # InstructBLIP's, which reads words

    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        question = self._asked(question)
        inputs = self._processed([[picture]], [self._prompt(question)])
        with torch.inference_mode():
            image = self._look(inputs["pixel_values"])
            through = self._through({**inputs, "image": image})
        ids = inputs["input_ids"][0]
        asked = {name: inputs[name] for name in (*ASKED, "pixel_values") if name in inputs}
        places = np.arange(self.before)
        return Prepared(
            question=question,
            image=picture,
            inputs={**asked, "image": image},
            tokens=(
                "picture",
                *(f"patch {i}" for i in places[1:]),
                *(f"query {i + 1}" for i in range(self.queries)),
                *map(self.text_of, ids[self.queries :].tolist()),
            ),
            segments=np.concatenate([np.full(self.before, Segment.IMAGE, np.int8), self._who(ids, question)]),
            grid=self.family.grid({"through": through}, self.processor, places, picture.size),
            aside=(0,),
        )

    def recorder(self, prepared: Prepared, watch: Watch | None, edits: Sequence[Edit] = ()) -> Recorder:
        """It also hears the Q-Former, where patches can be hidden; whose own attention stands in no trace."""
        heard = super().recorder(prepared, watch, edits)
        heard.sites = {**self._crossing(), **heard.sites}
        return heard

    def run(self, prepared: Prepared, watch: Watch | None, edits: Sequence[Edit] = ()) -> tuple[Tensor, Recorder]:
        logits, recorder = super().run(prepared, watch, edits)
        self._pad_peaks(recorder)
        return logits, recorder

    @contextmanager
    def listening(self) -> Iterator[None]:
        with self.lock, super().listening():
            yield

    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        given = {name: prepared.inputs[name] for name in (*ASKED, "image") if name in prepared.inputs}
        return self._answer(repeated(given, variants))

    def eyes(self, prepared: Prepared) -> Eyes:
        pixels = prepared.inputs["pixel_values"]
        asked = {name: prepared.inputs[name] for name in ASKED if name in prepared.inputs}

        def logits(given: Tensor) -> Tensor:
            states = self._look(given)
            states = torch.cat([states[:, :1], self.entrance(states[:, 1:])], dim=1)
            return self._answer({**repeated(asked, len(given)), "image": states})

        patch = self.model.config.vision_config.patch_size
        down, across = (torch.arange(length) // patch for length in pixels.shape[-2:])
        cells = (down[:, None] * self.side + across).to(pixels.device)[None, None]
        return Eyes(pixels, cells, logits, self.entrance)

    def ending(self, prepared: Prepared) -> Callable[[int], Tensor]:
        given = self._both(prepared.inputs)
        first = {name: value[:, :-1] for name, value in given.items()}
        prefix = self.decoder(**first, use_cache=True, logits_to_keep=1).past_key_values
        last = {name: value if name == "attention_mask" else value[:, -1:] for name, value in given.items()}

        def logits(variants: int) -> Tensor:
            cache = copy.deepcopy(prefix)
            cache.batch_repeat_interleave(variants)
            found: Tensor = self.decoder(**repeated(last, variants), past_key_values=cache, use_cache=True).logits
            return found[:, -1]

        return logits

    def say(
        self,
        prepared: Prepared,
        watch: Watch | None,
        most: int,
        given: str | None = None,
        progress: Progress | None = None,
    ) -> Said | None:
        said = super().say(prepared, watch, most, given, progress)
        if said is not None:
            self._pad_peaks(said.passes[0])
        return said

    def batch(self, pictures: Sequence[Picture], questions: Sequence[str]) -> Batch:
        asked = [self._asked(question) for question in questions]
        prompts = [self._prompt(question) for question in asked]
        images = [[self.image(picture)] for picture in pictures]
        inputs = self._processed(images, prompts)
        segments = who_is_who(inputs, lambda item, ids: self._who(ids, asked[item]))
        with torch.inference_mode():
            image = self._look(inputs.pop("pixel_values"))
        return Batch(
            {**inputs, "image": image},
            segments == int(Segment.IMAGE),
            segments == int(Segment.QUESTION),
        )

    def batch_logits(self, batch: Batch) -> Tensor:
        return self._answer(batch.inputs)

    def crossed(
        self, pictures: Sequence[Picture], questions: Sequence[str], lens: bool = False
    ) -> Iterator[tuple[slice, Tensor]]:
        return VLM.crossed(self, pictures, questions, lens)

    def _label(self, layer: int) -> str:
        return f"layer {layer + 1}: picture through the Q-Former"

    def _spoken(self, prepared: Prepared) -> tuple[Any, Prepared]:
        with torch.inference_mode():
            given = self._both(prepared.inputs)
        del given["position_ids"]  # the decoder counts on by itself
        return self.decoder, replace(prepared, inputs={**given, "input_ids": prepared.inputs["input_ids"]})

    def _prompt(self, question: str, pictures: int = 1) -> str:
        return str(self.family.prompt.format(question=question))

    def _asked(self, question: str) -> str:
        question = super()._asked(question)
        for token in self.qformer_tokenizer.all_special_tokens if self.qformer_tokenizer is not None else ():
            if token in question:
                raise QuestionError(f"The question holds {token}, which {self.name} takes for a sign; leave it out.")
        return question

    def _processed(self, pictures: list[list[Image.Image]], prompts: Sequence[str], **options: Any) -> dict[str, Any]:
        """As the model takes them, on its device. Words are padded between the queries and themselves.

        The Q-Former counts its words from the first, so that padding before them would move them: it comes after.
        """
        shown = [picture for (picture,) in pictures]
        inputs = super()._processed([shown], prompts, padding=True, padding_side="left", **options)
        if self.qformer_tokenizer is not None:
            read = self.qformer_tokenizer(list(prompts), padding=True, padding_side="right", return_tensors="pt")
            inputs |= {"qformer_input_ids": read["input_ids"], "qformer_attention_mask": read["attention_mask"]}
            most = self.model.config.qformer_config.max_position_embeddings
            if read["input_ids"].shape[1] > most:
                raise QuestionError(
                    f"The question is too long for {self.name}, whose Q-Former reads {most} tokens; shorten it."
                )
        found = {name: inputs[name].to(self.model.device) for name in ASKED if name in inputs}
        return found | {"pixel_values": inputs["pixel_values"].to(self.model.device, self.model.dtype)}

    def _who(self, ids: Tensor, question: str) -> np.ndarray:
        """Who is who in the decoder, int8 [position]: the queries, and the words of the prompt."""
        prompt, start = self._prompt(question), self._prompt(PLACE).index(PLACE)
        coded = self.tokenizer(prompt, return_offsets_mapping=True)
        if [self.image_token] * self.queries + coded["input_ids"] != ids.tolist():
            raise ModelError(f"The prompt of {self.name} cannot be told apart into segments; its family needs a row.")
        asked = within(coded["offset_mapping"], start, len(question))
        words = np.where(asked, Segment.QUESTION, Segment.INSTRUCTION).astype(np.int8)
        if coded["input_ids"][0] == self.tokenizer.bos_token_id and not asked[0]:
            words[0] = Segment.BOS
        return np.concatenate([np.full(self.queries, Segment.IMAGE, np.int8), words])

    def _crossing(self) -> dict[nn.Module, Site]:
        """The Q-Former's cross-attention. It comes before layer 0, so that no edit of the decoder's layers means it."""
        patches = tuple(range(self.before))
        queries = tuple(range(self.before, self.before + self.queries))
        return {
            layer.crossattention.attention: Site(f"qformer.encoder.layer.{i}", -1, "cross", queries, patches)
            for i, layer in enumerate(self.model.qformer.encoder.layer)
            if layer.has_cross_attention
        }

    def _through(self, inputs: Mapping[str, Tensor]) -> np.ndarray:
        """How much each query reads of every patch, float32 [query, patch]; rows sum to 1."""
        sites = self._crossing()
        every = {site.name: site.queries for site in sites.values()}
        recorder = Recorder(sites, np.zeros(0), every, contributions=False)
        with self.lock, recording(recorder):
            self._resampled(inputs)
        read = torch.stack([kept.attention[0].mean(dim=0) for kept in recorder.kept.values()]).mean(dim=0)[:, 1:]
        total = read.sum(dim=-1, keepdim=True)
        even = torch.full_like(read, 1 / read.shape[-1])  # for a query that reads the summary alone
        found: np.ndarray = torch.where(total > 0, read / total.clamp_min(1e-30), even).float().cpu().numpy()
        return found

    def _look(self, pixels: Tensor) -> Tensor:
        """The picture's states [item, 1 + patch, width]."""
        states: Tensor = self.model.vision_model(pixel_values=pixels).last_hidden_state
        return states

    def _resampled(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The queries as they enter the decoder, [item, query, width]."""
        image = inputs["image"]
        queries = self.model.query_tokens.expand(len(image), -1, -1)
        given: dict[str, Tensor] = {"query_embeds": queries, "encoder_hidden_states": image}
        if self.qformer_tokenizer is not None:
            real = inputs["qformer_attention_mask"]
            given["input_ids"] = inputs["qformer_input_ids"]
            given["attention_mask"] = torch.cat([real.new_ones(queries.shape[:2]), real], dim=1)
        read = self.model.qformer(**given).last_hidden_state[:, : self.queries]  # in float32, in some
        states: Tensor = self.model.language_projection(read.to(image.dtype))
        return states

    def _both(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Queries and words as the decoder is given them. Padding takes up no place."""
        ids, real = inputs["input_ids"], inputs["attention_mask"]
        words = self.model.get_input_embeddings()(ids)
        states = words.masked_scatter((ids == self.image_token)[..., None], self._resampled(inputs).to(words.dtype))
        return {
            "inputs_embeds": states,
            "attention_mask": real,
            "position_ids": (real.cumsum(dim=1) - 1).clamp_min(0),
        }

    def _answer(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """Logits of the answer's first token, [item, candidate]."""
        logits: Tensor = self.decoder(**self._both(inputs), use_cache=False, logits_to_keep=1).logits
        return logits[:, -1]

    def _pad_peaks(self, recorder: Recorder) -> None:
        """Patches enter no layer of the decoder, so nothing of them stands out there."""
        for layer, peak in recorder.peaks.items():
            recorder.peaks[layer] = nn.functional.pad(peak, (self.before, 0))
