"""Causal decoders that read picture and words in one sequence. Capture goes through transformers' attention interface;
the modeling code stays theirs.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import takewhile
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vlmlens.errors import ModelError, NotApplicable, QuestionError
from vlmlens.lab.weights import LabName
from vlmlens.models.base import Picture
from vlmlens.models.inside import Eyes
from vlmlens.models.loading import Opened, open_model
from vlmlens.models.many import Batch, repeated, who_is_who
from vlmlens.models.pretrained import Pretrained
from vlmlens.models.record import Prepared
from vlmlens.models.unknown import tried
from vlmlens.trace import Segment, Site
from vlmlens.trace.capture import Recorder, entering, leaving, recording

BRANCH_BYTES = 1 << 30  # of working memory for the branches of one pass
MOST_ENDINGS = 8  # more are no faster
PLACE = "<<question>>"  # stands in a prompt for the question
_BY_TOKEN = ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids")  # inputs [item, position]


class HuggingFaceVLM(Pretrained):
    """A pretrained model of a family in `FAMILIES`, from a folder or the hub."""

    before = 0  # positions ahead of the decoder's sequence, which enter none of its layers

    def __init__(self, opened: Opened, name: str | None = None) -> None:
        super().__init__(opened, name)
        config = opened.config
        self.causal = self.family.causal
        self.whole_from = self.family.whole_from(config) if self.family.whole_from else 0
        self.image_token = int(getattr(config, self.family.image_token_id))
        modules = dict(self.model.named_modules())
        count = self.family.layers(config)
        self.attention = [modules[self.family.attention.format(i=i)] for i in range(count)]
        self.layers = [modules[self.family.layer.format(i=i)] for i in range(count)]
        if self.family.after:
            self.after = {a: modules[self.family.after.format(i=i)] for i, a in enumerate(self.attention)}
        self.norm, self.head = modules[self.family.norm], modules[self.family.head]
        self.projector = modules.get(self.family.projector)

    def check(self) -> None:
        if self.family.guessed:
            self.family, told = tried(self)
            self.info = replace(self.info, reduced=told)
        super().check()

    def prepare(self, picture: Image.Image, question: str) -> Prepared:
        return self._prepared([picture], question)

    def prepare_with(self, picture: Image.Image, second: Image.Image, question: str) -> Prepared:
        if not self.family.second:
            raise NotApplicable(f"{self.family.name} was made for one picture; it has no place for a second one.")
        return self._prepared([picture, second], question)

    def _prepared(self, pictures: list[Image.Image], question: str) -> Prepared:
        question = self._asked(question)
        prompt = self._prompt(question, len(pictures))
        inputs = self._processed([pictures], [prompt])
        ids = inputs["input_ids"][0]
        positions = (ids == self.image_token).nonzero().squeeze(1).numpy()
        grid = self.family.grid(inputs, self.processor, positions, pictures[0].size)
        if len(pictures) == 1 and grid.cells and not grid.places((ids == self.image_token).numpy()):
            raise ModelError(
                f"{self.name} made {len(positions)} tokens of this picture, for {len(grid.placed)} places that its "
                "family has on it; a map would be wrong. Try a picture of other proportions, and report this one."
            )
        return Prepared(
            question=question,
            image=pictures[0],
            inputs={k: v.to(self.model.device) for k, v in inputs.items()},
            tokens=tuple(map(self.text_of, ids.tolist())),
            segments=self._segments(ids, prompt, question, len(pictures)),
            grid=grid,
        )

    def _processed(self, pictures: list[list[Image.Image]], prompts: Sequence[str], **options: Any) -> dict[str, Any]:
        """What the processor makes of prompts, each with its own pictures."""
        inputs = self.processor(
            images=pictures, text=list(prompts), return_tensors="pt", **self.family.options, **options
        )
        return {name: value for name, value in inputs.items() if name != "labels"}  # which are for training

    def _prompt(self, question: str, pictures: int = 1) -> str:
        if not getattr(self.processor, "chat_template", None):
            token = self.family.placeholder or self.tokenizer.convert_ids_to_tokens(self.image_token)
            return self.family.prompt.replace(token, "\n".join([token] * pictures)).format(question=question)
        content = [*[{"type": "image"}] * pictures, {"type": "text", "text": question}]
        turns = [{"role": "user", "content": content}]
        text = str(self.processor.apply_chat_template(turns, add_generation_prompt=True, tokenize=False))
        start = self.tokenizer.bos_token
        if start and self.tokenizer("")["input_ids"][:1] == [self.tokenizer.bos_token_id]:
            text = text.removeprefix(start)  # the tokenizer puts it there, too
        return text

    def _segments(self, ids: Tensor, prompt: str, question: str, pictures: int = 1) -> np.ndarray:
        """Who is who, int8 [position].

        However a processor spells a picture out, the tokens before the first one and after the last one are those of
        the prompt in which each is a single token. There the question is found by its characters.
        """
        written = self._written(prompt)
        # The same words may also stand elsewhere in the prompt.
        start = len(self._written(self._prompt(PLACE, pictures)).partition(PLACE)[0])
        coded = self.tokenizer(written, return_offsets_mapping=True)
        head, tail = self._around(coded["input_ids"])
        inside = within(coded["offset_mapping"], start, len(question))
        lead, between, follow = inside[: len(head)], inside[len(head) : -len(tail)], inside[-len(tail) :]
        spelled = ids[len(head) : -len(tail)]
        if (
            [*head, *spelled.tolist(), *tail] != ids.tolist()
            or int((spelled == self.image_token).sum()) != int((ids == self.image_token).sum())
            or any(between)
            or not written.startswith(question, start)
        ):
            raise ModelError(f"The prompt of {self.name} cannot be told apart into segments; its family needs a row.")
        asked = np.array([*lead, *[False] * len(spelled), *follow])
        segments = np.where(asked, Segment.QUESTION, Segment.INSTRUCTION).astype(np.int8)
        segments[(ids == self.image_token).numpy()] = Segment.IMAGE
        starts = [place for place, token in enumerate(ids.tolist()) if token == self.tokenizer.bos_token_id]
        if starts and not asked[starts[0]]:
            segments[starts[0]] = Segment.BOS
        return segments

    def _written(self, prompt: str) -> str:
        """A prompt as the processor tokenises it, but for the image tokens that it repeats."""
        return self.family.written(prompt, self.tokenizer) if self.family.written else prompt

    def _around(self, ids: list[int]) -> tuple[list[int], list[int]]:
        """The tokens before the first image token and after the last."""
        places = [place for place, token in enumerate(ids) if token == self.image_token]
        if not places or places[-1] == len(ids) - 1:
            raise ModelError(f"The prompt of {self.name} has no picture, or ends with it; its family needs a row.")
        return ids[: places[0]], ids[places[-1] + 1 :]

    def sites(self, prepared: Prepared) -> Mapping[nn.Module, Site]:
        every = tuple(range(self.before, prepared.length))
        return {
            module: Site(self.family.attention.format(i=i), i, "self", every, every, self._label(i))
            for i, module in enumerate(self.attention)
        }

    def _label(self, layer: int) -> str:
        return f"layer {layer + 1}"

    def logits(self, prepared: Prepared, variants: int = 1) -> Tensor:
        inputs = repeated(prepared.inputs, variants) if variants > 1 else prepared.inputs
        logits: Tensor = self.model(**inputs, use_cache=False, logits_to_keep=1).logits
        return logits[:, -1]

    def read_out(self, states: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(states))
        cap = getattr(self.model.config.get_text_config(), self.family.cap) if self.family.cap else None
        return logits if cap is None else cap * torch.tanh(logits / cap)

    def eyes(self, prepared: Prepared) -> Eyes:
        if self.family.canvas is None:
            raise NotApplicable(f"How {self.name} cuts up a picture is not known; maps of its pixels are not made.")
        canvas = self.family.canvas(prepared.inputs, self.processor, prepared.grid)
        rest = {name: value for name, value in prepared.inputs.items() if name != "pixel_values"}

        def logits(sheets: Tensor) -> Tensor:
            many = repeated(rest, len(sheets)) | {"pixel_values": canvas.cut(sheets)}
            found: Tensor = self.model(**many, use_cache=False, logits_to_keep=1).logits
            return found[:, -1]

        rows, columns = prepared.grid.shape
        height, width = canvas.pixels.shape[-2:]
        down, across = torch.arange(height) * rows // height, torch.arange(width) * columns // width
        cells = (down[:, None] * columns + across).to(canvas.pixels.device)[None, None]
        return Eyes(canvas.pixels, cells, logits, self.projector if canvas.tokens else None)

    def ending(self, prepared: Prepared) -> Callable[[int], Tensor]:
        if not self.causal:
            return super().ending(prepared)
        ids, real = prepared.inputs["input_ids"], prepared.inputs["attention_mask"]
        first = {name: value[:, :-1] if name in _BY_TOKEN else value for name, value in prepared.inputs.items()}
        prefix = self.model(**first, use_cache=True, logits_to_keep=1).past_key_values
        # Qwen's models keep how far behind its number a token's place is: a picture takes up fewer places than tokens.
        shift = getattr(self.model.model, "rope_deltas", None)
        place = torch.tensor([[prepared.length - 1]], device=ids.device) + (0 if shift is None else shift)

        def logits(variants: int) -> Tensor:
            cache = copy.deepcopy(prefix)
            cache.batch_repeat_interleave(variants)
            found: Tensor = self.model(
                input_ids=ids[:, -1:].repeat(variants, 1),
                attention_mask=real.repeat(variants, 1),
                position_ids=place.repeat(variants, 1),
                past_key_values=cache,
                use_cache=True,
            ).logits
            return found[:, -1]

        return logits

    def endings_at_once(self, prepared: Prepared) -> int:
        text = self.model.config.get_text_config()
        head = getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads
        heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
        held = 2 * len(self.layers) * heads * head  # numbers that a cache holds for one token
        return min(MOST_ENDINGS, max(1, BRANCH_BYTES // (prepared.length * held * self.model.dtype.itemsize)))

    def branches_at_once(self, prepared: Prepared) -> int:
        text = self.model.config.get_text_config()
        inner = getattr(text, "intermediate_size", None) or 4 * text.hidden_size
        wide = 8 * text.hidden_size + 3 * inner  # numbers that a layer holds for one token
        return max(1, BRANCH_BYTES // (prepared.length * wide * self.model.dtype.itemsize))

    def _spoken(self, prepared: Prepared) -> tuple[Any, Prepared] | None:
        return self.model, prepared

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Decoder layers show the active recorder the states that enter them, until the block ends."""

        def hook(number: int) -> Any:
            def enter(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
                states = args[0] if args else kwargs["hidden_states"]
                changed = entering(number, states, range(self.before, self.before + states.shape[1]))
                return ((changed, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": changed})

            return enter

        handles = []

        def left(_module: nn.Module, _args: object, output: Any) -> Any:
            states = output[0] if isinstance(output, tuple) else output
            changed = leaving(len(self.layers), states, range(self.before, self.before + states.shape[1]))
            return (changed, *output[1:]) if isinstance(output, tuple) else changed

        try:
            for number, layer in enumerate(self.layers):
                handles.append(layer.register_forward_pre_hook(hook(number), with_kwargs=True))
            handles.append(self.layers[-1].register_forward_hook(left))
            yield
        finally:
            for handle in handles:
                handle.remove()

    @property
    def points(self) -> tuple[str, ...]:
        return ("before the decoder", *(f"after layer {i + 1}" for i in range(len(self.layers))))

    def batch(self, pictures: Sequence[Picture], questions: Sequence[str]) -> Batch:
        asked = [self._asked(question) for question in questions]
        prompts = [self._prompt(question) for question in asked]
        images = [[self.image(picture)] for picture in pictures]
        inputs = self._processed(images, prompts, padding=True, padding_side="left")
        inputs = {name: value.to(self.model.device) for name, value in inputs.items()}
        segments = who_is_who(inputs, lambda item, ids: self._segments(ids, prompts[item], asked[item]))
        return Batch(inputs, segments == int(Segment.IMAGE), segments == int(Segment.QUESTION))

    def batch_logits(self, batch: Batch) -> Tensor:
        logits: Tensor = self.model(**batch.inputs, use_cache=False, logits_to_keep=1).logits
        return logits[:, -1]

    def crossed(
        self, pictures: Sequence[Picture], questions: Sequence[str], lens: bool = False
    ) -> Iterator[tuple[slice, Tensor]]:
        """Each picture passes the tower and the decoder once, as the prefix that all its questions share.

        Where positions read what comes after them, or pictures differ in length, every pair passes alone.
        """
        if not (self.causal and self.family.alike):
            yield from super().crossed(pictures, questions)
            return
        asked = [self._asked(question) for question in questions]
        prompts = [self._prompt(question) for question in asked]
        at_once = max(1, self.variants_at_once // len(prompts))
        for start in range(0, len(pictures), at_once):
            images = [[self.image(picture)] for picture in pictures[start : start + at_once]]
            inputs = self._processed(images, prompts[:1] * len(images))
            rows = self._rows(inputs["input_ids"][0], prompts)
            shortest = min(map(len, rows)) - 1  # at least the answer's row is new
            alike = (len(set(column)) == 1 for column in zip(*rows, strict=False))
            shared = min(sum(takewhile(bool, alike)), shortest)
            early = self.image_token in [token for row in rows for token in row[shared:]]
            if early or max(map(len, rows)) > reach(self.model.config):
                # A question before its picture shares nothing; a sliding window would count the padding between them.
                yield from super().crossed(pictures, questions)
                return
            yield slice(start, start + len(images)), self._after_prefix(inputs, rows, shared, lens)

    def _rows(self, ids: Tensor, prompts: Sequence[str]) -> list[list[int]]:
        """Every prompt's tokens, with the picture spelled out as the processor did in `ids`, the first one's."""
        around = [self._around(self.tokenizer(self._written(prompt))["input_ids"]) for prompt in prompts]
        head, tail = around[0]
        spelled = ids[len(head) : -len(tail)].tolist()
        if [*head, *spelled, *tail] != ids.tolist():
            raise ModelError(
                f"The prompt of {self.name} cannot be told apart from its picture; its family needs a row."
            )
        return [[*head, *spelled, *tail] for head, tail in around]

    def _after_prefix(self, inputs: dict[str, Any], rows: list[list[int]], shared: int, lens: bool) -> Tensor:
        """Logits [point, picture, question, candidate]: pictures with the shared prefix once, then what differs."""
        pictures, device = len(inputs["input_ids"]), self.model.device
        longest = max(len(row) for row in rows) - shared
        ids = torch.full((len(rows), longest), int(self.tokenizer.pad_token_id or 0))
        real = torch.zeros(len(rows), shared + longest, dtype=torch.long)
        real[:, :shared] = 1
        for index, row in enumerate(rows):  # padded on the left, so that every answer is read from the last position
            new = row[shared:]
            ids[index, -len(new) :] = torch.tensor(new)
            real[index, -len(new) :] = 1
        places = (real.cumsum(1) - 1)[:, shared:]
        first = {name: value[:, :shared] if name in _BY_TOKEN else value for name, value in inputs.items()}
        found: list[Tensor] = []
        states: dict[int, Tensor] = {}

        def see(layer: int, entering_states: Tensor) -> None:
            states[layer] = entering_states[:, -1]

        with self.lock, torch.inference_mode():
            prefix = self.model(**{k: v.to(device) for k, v in first.items()}, use_cache=True, logits_to_keep=1)
            step = max(1, self.variants_at_once // pictures)
            for start in range(0, len(rows), step):
                part = slice(start, start + step)
                count = len(rows[part])
                cache = copy.deepcopy(prefix.past_key_values)
                cache.batch_repeat_interleave(count)
                with self.listening(), recording(Recorder({}, np.zeros(0), {}, see=see if lens else None)):
                    logits = self.model(
                        input_ids=ids[part].repeat(pictures, 1).to(device),
                        attention_mask=real[part].repeat(pictures, 1).to(device),
                        position_ids=places[part].repeat(pictures, 1).to(device),
                        past_key_values=cache,
                        use_cache=True,
                        logits_to_keep=1,
                    ).logits[:, -1]
                through = [self.read_out(states[layer]) for layer in range(1, len(self.layers))] if lens else []
                found.append(torch.stack([*through, logits]).float().cpu().unflatten(1, (pictures, count)))
        return torch.cat(found, dim=2)

    def _asked(self, question: str) -> str:
        if (token := self.tokenizer.convert_ids_to_tokens(self.image_token)) in question:
            raise QuestionError(f"The question holds {token}, which stands for the picture itself; leave it out.")
        return super()._asked(question)


def within(offsets: Sequence[tuple[int, int]], start: int, length: int) -> list[bool]:
    """Which tokens, from and to which character each, lie in so many characters from `start`."""
    return [b > start and a < start + length and b > a for a, b in offsets]


def reach(config: Any) -> float:
    """How many positions back every layer of a decoder reads, its own included."""
    text = config.get_text_config()
    window = getattr(text, "sliding_window", None)
    slides = "sliding_attention" in (getattr(text, "layer_types", None) or ["sliding_attention"])
    return window if window and slides else math.inf


def load_lab_llava(name: str) -> HuggingFaceVLM:
    lab = LabName.parse(name)
    if not lab.path.is_dir():
        raise ModelError(f"The weights of {name} are missing; `make train` makes them anew.")
    return HuggingFaceVLM(open_model(str(lab.path), "cpu", "float32"), str(lab))
