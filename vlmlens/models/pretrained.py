"""What all pretrained models share: what was loaded, which questions may be asked, how answers are ranked and named."""

from functools import cache, partial
from importlib import import_module
from typing import Any

import numpy as np
from PIL import Image
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

from vlmlens.errors import QuestionError
from vlmlens.lab.draw import draw
from vlmlens.lab.questions import readable
from vlmlens.lab.scenes import Scene
from vlmlens.lab.text import known_words
from vlmlens.models.base import VLM, ModelInfo, Picture, as_image
from vlmlens.models.loading import Opened
from vlmlens.models.processor import token_text
from vlmlens.trace import Answer
from vlmlens.trace.capture import attend

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
        small = self.info.parameters < SMALL
        self.variants_at_once, self.items_at_once = (64, 100) if small else (4, 4)

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

    def _image(self, picture: Picture) -> Image.Image:
        """A lab scene as the lab's own model sees it, or large enough for any other."""
        if isinstance(picture, Scene) and not self.info.lab:
            return draw(picture, 336)
        return as_image(picture)


def read(opened: Opened) -> VLM:
    """A model behind the class that its family's row names."""
    module, _, kind = opened.family.reader.partition(":")
    vlm: VLM = getattr(import_module(f"vlmlens.models.{module}"), kind)(opened)
    return vlm
