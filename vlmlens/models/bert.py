"""What models built around BERT share: its tokenizer, and attention that is written out and calls no other."""

from collections.abc import Sequence
from typing import Any

from PIL import Image
from torch import Tensor

from vlmlens.errors import NotApplicable, QuestionError
from vlmlens.models.pretrained import Pretrained
from vlmlens.trace.overhear import Asked


class BertVLM(Pretrained):
    """BLIP-VQA or ViLT."""

    most_words: int  # tokens of a question, the ones that the tokenizer adds included

    def prepare_with(self, picture: Image.Image, second: Image.Image, question: str) -> Any:
        raise NotApplicable(f"{self.family.name} reads one picture; it has no place for a second one.")

    def _words(self, questions: Sequence[str]) -> dict[str, Tensor]:
        """Token ids, which of them are real, and which the tokenizer added, each [item, position]."""
        coded = self.tokenizer(
            list(questions), padding=True, padding_side="right", return_special_tokens_mask=True, return_tensors="pt"
        )
        if coded["input_ids"].shape[1] > self.most_words:
            raise QuestionError(
                f"The question is too long for {self.name}, which reads {self.most_words} tokens; shorten it."
            )
        device = self.model.device
        return {
            "input_ids": coded["input_ids"].to(device),
            "attention_mask": coded["attention_mask"].to(device),
            "added": coded["special_tokens_mask"].bool().to(device),
        }


def asked(inner: Any, states: Tensor, other: Tensor, mask: Tensor | None) -> Asked:
    """What BERT's attention is asked for: `states` [item, query, width] look at `other` [item, key, width]."""
    sides = inner.query(states), inner.key(other), inner.value(other)
    query, key, value = (side.unflatten(-1, (inner.num_attention_heads, -1)).transpose(1, 2) for side in sides)
    return query, key, value, mask
