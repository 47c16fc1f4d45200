"""Mllama (Llama 3.2 Vision): a decoder some of whose layers look, instead of back at the words, at the picture.

Positions: the picture's, tile by tile, then the words'. Each tile has a summary token, which has no place, and its
patches, row by row. There are always as many tiles as the model can take; those that the picture does not fill, and
patches beyond its edge, are read as well but show no spot of it. The vision encoder runs once for all that is asked of
one picture.
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

from vlmlens.errors import ModelError, NotApplicable
from vlmlens.models.base import Picture
from vlmlens.models.beside import Beside
from vlmlens.models.huggingface import PLACE, HuggingFaceVLM, within
from vlmlens.models.inside import Eyes
from vlmlens.models.loading import Opened
from vlmlens.models.many import Batch, repeated, who_is_who
from vlmlens.models.record import Prepared
from vlmlens.trace import Segment, Site
from vlmlens.trace.capture import entering, leaving

ASKED = ("input_ids", "attention_mask", "cross_attention_mask")  # what the words bring, [item, position, ...]
SHOWN = ("pixel_values", "aspect_ratio_ids", "aspect_ratio_mask")


class MllamaVLM(HuggingFaceVLM):
    """An `MllamaForConditionalGeneration`."""

    def __init__(self, opened: Opened, name: str | None = None) -> None:
        super().__init__(opened, name)
        self.attention = [getattr(layer, "self_attn", None) or layer.cross_attn for layer in self.layers]
        self.looking = tuple(opened.config.text_config.cross_attention_layers)
        self.after = {self.attention[i]: Gate(self.layers[i].cross_attn_attn_gate) for i in self.looking}

    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        question = self._asked(question)
        prompt = self._prompt(question)
        inputs = {name: value.to(self.model.device) for name, value in self._processed([[picture]], [prompt]).items()}
        with torch.inference_mode():
            image = self._look(inputs)
        ids, patches = inputs["input_ids"][0], image.shape[0] * image.shape[1]
        grid = self.family.grid(inputs, self.processor, np.arange(patches), picture.size)
        named = [
            f"tile {t + 1}" + (f" patch {p}" if p else "") for t in range(len(image)) for p in range(len(image[0]))
        ]
        return Prepared(
            question=question,
            image=picture,
            inputs={**inputs, "cross_attention_states": image},
            tokens=(*named, *map(self.text_of, ids.tolist())),
            segments=np.concatenate([np.full(patches, Segment.IMAGE, np.int8), self._words(ids, prompt, question)]),
            grid=grid,
            aside=tuple(np.setdiff1d(np.arange(patches), grid.positions).tolist()),
        )

    def prepare_with(self, picture: Image.Image, second: Image.Image, question: str) -> Prepared:
        raise NotApplicable(f"{self.name} is shown one picture here; it has no place for a second one.")

    def sites(self, prepared: Prepared) -> Mapping[nn.Module, Site]:
        patches = prepared.inputs["cross_attention_states"].shape[:2].numel()
        picture, words = tuple(range(patches)), tuple(range(patches, prepared.length))
        found = {}
        for i, module in enumerate(self.attention):
            name = self.family.layer.format(i=i)
            if i in self.looking:
                label = f"layer {i + 1}: words → picture"
                found[module] = Site(f"{name}.cross_attn", i, "cross", words, picture, label)
            else:
                found[module] = Site(f"{name}.self_attn", i, "self", words, words, f"layer {i + 1}")
        return found

    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        given = {name: prepared.inputs[name] for name in (*ASKED, "cross_attention_states")}
        return self._answer(repeated(given, variants))

    def read_out(self, states: Tensor) -> Tensor:
        raise NotApplicable(f"{self.name} never reads its answer from image positions; a lens there shows nothing.")

    def eyes(self, prepared: Prepared) -> Eyes:
        raise NotApplicable(
            f"{self.family.name} cuts pictures into pieces before it looks at them; maps of their pixels are not made."
        )

    def ending(self, prepared: Prepared) -> Callable[[int], Tensor]:
        asked = {name: prepared.inputs[name] for name in ASKED}
        image = prepared.inputs["cross_attention_states"]
        first = {name: value[:, :-1] for name, value in asked.items()}
        prefix = self.model(**first, cross_attention_states=image, use_cache=True, logits_to_keep=1).past_key_values
        last = {name: value if name == "attention_mask" else value[:, -1:] for name, value in asked.items()}

        def logits(variants: int) -> Tensor:
            cache = copy.deepcopy(prefix)
            cache.batch_repeat_interleave(variants)
            found: Tensor = self.model(**repeated(last, variants), past_key_values=cache, use_cache=True).logits
            return found[:, -1]

        return logits

    def _spoken(self, prepared: Prepared) -> tuple[Any, Prepared]:
        """Its `generate` looks at the picture itself: states that it were given it would read anew at every step."""
        return self.model, replace(prepared, inputs={name: prepared.inputs[name] for name in (*ASKED, *SHOWN)})

    def batch(self, pictures: Sequence[Picture], questions: Sequence[str]) -> Batch:
        asked = [self._asked(question) for question in questions]
        prompts = [self._prompt(question) for question in asked]
        images = [[self.image(picture)] for picture in pictures]
        inputs = self._processed(images, prompts, padding=True, padding_side="left")
        inputs = {name: value.to(self.model.device) for name, value in inputs.items()}
        words = who_is_who(inputs, lambda item, ids: self._words(ids, prompts[item], asked[item]))
        with torch.inference_mode():
            image = self._look(inputs)
        seen = words.new_full((len(words), image.shape[:2].numel() // len(words)), int(Segment.IMAGE))
        segments = torch.cat([seen, words], dim=1)
        given = {name: inputs[name] for name in ASKED}
        return Batch(
            {**given, "cross_attention_states": image},
            segments == int(Segment.IMAGE),
            segments == int(Segment.QUESTION),
        )

    def batch_logits(self, batch: Batch) -> Tensor:
        return self._answer(batch.inputs)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Layers show the active recorder the picture's states and the words' that enter them, until the block ends."""
        beside = Beside()

        def enter(number: int) -> Any:
            def hook(_module: nn.Module, args: tuple[Tensor, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
                states = kwargs["cross_attention_states"]  # [item * tile, patch, width]
                if number == 0 and states is None:  # a later step of an answer: a cache holds what is read of them
                    beside.image = args[0][:, :0]
                elif number == 0:
                    beside.image = states.reshape(len(args[0]), -1, states.shape[-1])
                words = beside.show(entering, number, args[0])
                if states is not None:
                    kwargs = {**kwargs, "cross_attention_states": beside.image.reshape(-1, *states.shape[1:])}
                return (words,), kwargs

            return hook

        def left(_module: nn.Module, _args: object, words: Tensor) -> Tensor:
            return beside.show(leaving, len(self.layers), words)

        handles = []
        with self.lock:
            try:
                for number, layer in enumerate(self.layers):
                    handles.append(layer.register_forward_pre_hook(enter(number), with_kwargs=True))
                handles.append(self.layers[-1].register_forward_hook(left))
                yield
            finally:
                for handle in handles:
                    handle.remove()

    def _answer(self, given: Mapping[str, Tensor]) -> Tensor:
        logits: Tensor = self.model(**given, use_cache=False, logits_to_keep=1).logits
        return logits[:, -1]

    def _look(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The pictures' states, [item * tile, 1 + patch, width]."""
        seen = self.model.model.vision_model(**{name: inputs[name] for name in SHOWN}).last_hidden_state
        assert self.projector is not None  # the row names it
        states: Tensor = self.projector(seen)
        return states.flatten(0, -3)

    def _words(self, ids: Tensor, prompt: str, question: str) -> np.ndarray:
        """Who is who among the words, int8 [word]; the picture's sign stands in the prompt but is no image token."""
        written = self._written(prompt)
        start = len(self._written(self._prompt(PLACE)).partition(PLACE)[0])
        coded = self.tokenizer(written, return_offsets_mapping=True, **self.family.options)
        if coded["input_ids"] != ids.tolist() or not written.startswith(question, start):
            raise ModelError(f"The prompt of {self.name} cannot be told apart into segments; its family needs a row.")
        asked = within(coded["offset_mapping"], start, len(question))
        segments = np.where(asked, Segment.QUESTION, Segment.INSTRUCTION).astype(np.int8)
        segments[(ids == self.tokenizer.bos_token_id).cpu().numpy()] = Segment.BOS
        return segments


class Gate(nn.Module):
    """What lets a part of what attention to the picture writes into the residual stream."""

    def __init__(self, gate: nn.Parameter) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, update: Tensor) -> Tensor:
        return self.gate.tanh() * update
