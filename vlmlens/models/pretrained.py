"""What all pretrained models share: what was loaded, which questions may be asked, how answers are ranked and named."""

from functools import cache, partial
from importlib import import_module
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from vlmlens.errors import QuestionError
from vlmlens.lab.questions import readable
from vlmlens.lab.text import known_words
from vlmlens.models.base import VLM, ModelInfo
from vlmlens.models.generation import generate
from vlmlens.models.loading import Opened
from vlmlens.models.processor import token_text
from vlmlens.models.record import Prepared, Said
from vlmlens.progress import Progress
from vlmlens.trace import Answer, Step, Watch
from vlmlens.trace.capture import attend, recording

# Both, always: without the mask of the same name, transformers passes none and padding is attended to.
AttentionInterface.register("vlmlens", attend)
AttentionMaskInterface.register("vlmlens", sdpa_mask)

RANKED = 20  # answers that a trace lists of an open vocabulary
MOST_QUESTION = 2000  # characters
SMALL = 10_000_000  # parameters


class Pretrained(VLM):
    """A model of a family in `ROWS`; each row names the class that reads it."""

    def __init__(self, opened: Opened, name: str | None = None) -> None:
        super().__init__()
        self.family: Any = opened.family
        self.processor, self.model = opened.processor, opened.model
        self.tokenizer = self.processor.tokenizer
        self.text_of = cache(partial(token_text, self.tokenizer))
        self.info = ModelInfo(
            name or opened.source,
            self.family.name,
            opened.revision,
            sum(p.numel() for p in self.model.parameters()),
            str(opened.device),
            str(self.model.dtype).removeprefix("torch."),
            bool(name and name.startswith("lab:")),
            sum(t.nbytes for t in (*self.model.parameters(), *self.model.buffers())),
        )
        self.ends = set(self.tokenizer.all_special_ids)  # signs that an answer may end with and that are no part of it
        small = self.info.parameters < SMALL
        self.variants_at_once, self.items_at_once = (64, 100) if small else (4, 4)

    def say(
        self,
        prepared: Prepared,
        watch: Watch | None,
        most: int,
        given: str | None = None,
        progress: Progress | None = None,
    ) -> Said | None:
        wanted = [] if given is None else self.tokenizer(given, add_special_tokens=False)["input_ids"]
        if given is not None and not wanted:
            raise QuestionError("The answer to score is empty; write what the model might say.")
        recorder = self.recorder(prepared, watch)
        watched = watch is not None and "answer" in watch.rows
        with self.listening(), torch.inference_mode(), recording(recorder):
            spoken = self._spoken(prepared)
            if spoken is None:
                return None
            ids, passes, logits = generate(
                *spoken, recorder, len(wanted) or most, watched=watched, given=wanted, progress=progress
            )
        chances = logits.softmax(-1).double().numpy()
        text = str(self.tokenizer.decode(ids, skip_special_tokens=True)).strip()
        answers = self.rank(chances[0])
        while ids and ids[-1] in self.ends:
            ids.pop()
        steps = [Step(self._named(i, row), self.rank(row)) for i, row in zip(ids, chances, strict=False)]
        return Said(answers, tuple(passes[: max(1, len(ids))]), text, tuple(map(self.text_of, ids)), tuple(steps))

    def _spoken(self, prepared: Prepared) -> tuple[Any, Prepared] | None:
        """The model that generates, and what is prepared with the inputs that its `generate` takes.

        What runs before it, an encoder, runs here, and is heard. None where an answer is named in one pass.
        """
        return None

    def rank(self, probabilities: np.ndarray) -> tuple[Answer, ...]:
        order = np.argsort(-probabilities, kind="stable")[:RANKED]
        return tuple(self._named(int(i), probabilities) for i in order)

    def _named(self, candidate: int, probabilities: np.ndarray) -> Answer:
        """A token as an answer."""
        return Answer(self.text_of(candidate), float(probabilities[candidate]), candidate)

    def answer_text(self, candidate: int) -> str:
        return str(self.tokenizer.decode([candidate])).strip().lower()

    def _asked(self, question: str) -> str:
        """The question as it stands in the prompt. Raises QuestionError."""
        if self.info.lab:
            return " ".join(known_words(question)) + "?"
        question = readable(question, MOST_QUESTION)
        for token in self.tokenizer.all_special_tokens:
            if token in question:
                raise QuestionError(f"The question holds {token}, which {self.name} takes for a sign; leave it out.")
        return question


def read(opened: Opened) -> VLM:
    """A model behind the class that its family's row names."""
    module, _, kind = opened.family.reader.partition(":")
    vlm: VLM = getattr(import_module(f"vlmlens.models.{module}"), kind)(opened)
    return vlm
