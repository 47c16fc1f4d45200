"""From a model's logits to probabilities of a closed set of answers, in one of three ways, the same for a whole card.

`one token`: every option is one candidate of the model (in any spelling with the same letters). `first token`: the
options of a question begin with different tokens, and these are compared. `whole answer`: neither holds; every option
is said to the end, and its tokens' probabilities multiplied.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from vlmlens.diagnostics.probe import ProbeError, ProbeSet
from vlmlens.models import VLM

How = Literal["one token", "first token", "whole answer"]


@dataclass(frozen=True)
class Scoring:
    """Which candidates stand for which option."""

    how: How
    candidates: tuple[tuple[int, ...], ...]  # of each option of the vocabulary; empty where whole answers are said

    def mass(self, logits: Tensor) -> np.ndarray:
        """Log probability of every option, float64 [..., option], from logits [..., candidate]."""
        logs = logits.double().log_softmax(-1)
        found = [logs[..., list(ids)].logsumexp(-1) for ids in self.candidates]
        return torch.stack(found, dim=-1).cpu().numpy()


def scoring(vlm: VLM, probe: ProbeSet) -> Scoring:
    """How this model's answers to this probe set are told apart.

    Raises:
        ProbeError: an option that the model can never say.
    """
    *_, (_, logits) = vlm.crossed(probe.pictures[:1], probe.questions[:1])
    spelled: dict[str, list[int]] = {}
    for candidate in range(logits.shape[-1]):
        spelled.setdefault(vlm.answer_text(candidate).strip().lower(), []).append(candidate)
    vocabulary = probe.vocabulary
    if all(option.lower() in spelled for option in vocabulary):
        return Scoring("one token", tuple(tuple(spelled[option.lower()]) for option in vocabulary))
    tokenizer = getattr(vlm, "tokenizer", None)
    if tokenizer is None or logits.shape[-1] < len(tokenizer) // 2:  # it names answers of a list of its own
        unknown = next(option for option in vocabulary if option.lower() not in spelled)
        raise ProbeError(f"{vlm.name} can never answer “{unknown}”; leave the option out or pick another model.")
    first = {option: _first_tokens(tokenizer, option) for option in vocabulary}
    if all(_disjoint([first[option] for option in options]) for options in probe.options):
        return Scoring("first token", tuple(first[option] for option in vocabulary))
    return Scoring("whole answer", ())


def _first_tokens(tokenizer: Any, option: str) -> tuple[int, ...]:
    """What an answer may begin with: as given or capitalised, with a space before it or none."""
    spellings = {space + word for word in (option, option.capitalize()) for space in ("", " ")}
    ids = (tokenizer(spelling, add_special_tokens=False)["input_ids"] for spelling in spellings)
    found = {row[0] for row in ids if row}
    # Not the tokens that stand for a space or for what the tokenizer does not know: every option may begin with them.
    told = {token for token in found - {tokenizer.unk_token_id} if str(tokenizer.decode([token])).strip()}
    return tuple(sorted(told))


def _disjoint(sets: Sequence[tuple[int, ...]]) -> bool:
    return sum(map(len, sets)) == len(set().union(*sets)) and all(sets)
