"""Greedy generation that is listened to: one recorder hears the prompt's pass, one each step that follows."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import LogitsProcessor, StoppingCriteria

from vlmlens.models.record import Prepared
from vlmlens.progress import Progress
from vlmlens.trace import Segment
from vlmlens.trace.capture import Recorder, hand_over, recording


class Turns(StoppingCriteria):
    """After every token the next pass gets a recorder of its own; `progress` may stop the work there."""

    def __init__(self, first: Recorder, start: int, most: int, watched: bool, progress: Progress) -> None:
        self.passes = [first]
        self.start, self.most, self.watched, self.progress = start, most, watched, progress

    def __call__(self, input_ids: Tensor, scores: Any, **_: Any) -> Tensor:
        done = len(self.passes)  # tokens
        self.progress.step(done / self.most, f"token {done} of at most {self.most}")
        self.passes.append(self.passes[0].following(self.start + done - 1, self.watched))
        hand_over(self.passes[-1])
        return torch.zeros(len(input_ids), dtype=torch.bool, device=input_ids.device)


class Dictated(LogitsProcessor):
    """After all else that a model's own settings ask for, the next of the given tokens is the only one left."""

    def __init__(self, tokens: Sequence[int], start: int) -> None:
        self.tokens, self.start = tokens, start

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        token = self.tokens[input_ids.shape[1] - self.start]
        return torch.full_like(scores, -torch.inf).index_fill(1, torch.tensor([token], device=scores.device), 0.0)


def generate(
    model: Any,
    prepared: Prepared,
    recorder: Recorder,
    most: int,
    *,
    watched: bool = False,
    given: Sequence[int] = (),
    progress: Progress | None = None,
) -> tuple[list[int], list[Recorder], Tensor]:
    """What the model's own greedy `generate` says, token by token.

    Args:
        prepared: its inputs are what the model's `generate` takes.
        recorder: for the prompt's pass. Each step gets one that follows it: what was kept before is not touched again.
        most: tokens.
        watched: whether the steps' rows are kept.
        given: tokens, where the model is to say these, and be heard saying them.
        progress: told of every token; raises Cancelled.

    Returns:
        the tokens; the recorder of the pass that gave each; and that pass's logits, float32 [token, candidate].
    """
    start = prepared.inputs["decoder_input_ids" if "decoder_input_ids" in prepared.inputs else "input_ids"].shape[1]
    recorder.segments = np.concatenate([recorder.segments, np.full(most, Segment.ANSWER, np.int8)])
    turns = Turns(recorder, prepared.length, most, watched, progress or Progress())
    options: dict[str, Any] = {}
    if given:
        options["logits_processor"] = [Dictated(given, start)]
        options["eos_token_id"] = model.config.get_text_config().vocab_size  # which no token has
    with torch.inference_mode(), recording(recorder):
        found = model.generate(
            **{**prepared.inputs, **options},
            do_sample=False,
            num_beams=1,
            max_new_tokens=most,
            cache_implementation="dynamic",  # its keys end with the newest, see `Recorder.placed`
            stopping_criteria=[turns],
            return_dict_in_generate=True,
            output_logits=True,
        )
    ids = found.sequences[0, start:].tolist()
    return ids, turns.passes[: len(ids)], torch.cat(found.logits).float().cpu()
