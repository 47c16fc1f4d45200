"""A family without a row that follows the common conventions: one image token repeated in a decoder's prompt.

Budgets and contributions need no more than that. Where the tokens lie on the picture is guessed and then tried; a map
is drawn only if the guess holds.
"""

import copy
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText

from vlmlens.errors import ModelError
from vlmlens.models import grids
from vlmlens.models.families import Family, known
from vlmlens.models.processor import load_processor
from vlmlens.trace.capture import Recorder, recording

if TYPE_CHECKING:
    from vlmlens.models.huggingface import HuggingFaceVLM

TOKEN_IDS = ("image_token_id", "image_token_index")
ATTENTIONS = ("self_attn", "self_attention", "attention", "attn")
NORMS = ("norm", "final_layernorm", "final_layer_norm", "ln_f")
NOT_TEXT = re.compile(r"vision|visual|image|tower|encoder|audio|former|resampler|perceiver")
SHAPES = ((300, 300), (420, 240), (240, 420))  # pictures that the guess is tried on
SPOTS = 6  # on each
HOLDS = 0.75  # of the spots: towers mix patches, and the most changed token may be a neighbour


def guess(name: str, folder: Path, config: Any) -> Family:
    """A row made of a config and its modules. Raises ModelError naming the convention that is not followed."""

    def refuse(lack: str) -> ModelError:
        return ModelError(
            f"{name} is a “{config.model_type}” model, which this version has no row for, and it cannot be read by the "
            f"common conventions: {lack}. It knows {known()}."
        )

    number = next((key for key in TOKEN_IDS if isinstance(getattr(config, key, None), int)), None)
    if number is None:
        raise refuse("its config names no image token")
    try:
        tokenizer = load_processor(str(folder)).tokenizer
        with torch.device("meta"):
            shell = AutoModelForImageTextToText.from_config(copy.deepcopy(config))  # it changes its config
    except Exception as error:  # what these libraries raise for a model that they do not know either
        raise refuse("transformers makes no model of it that answers about pictures") from error
    text, modules = config.get_text_config(), dict(shell.named_modules())
    stacks = [
        (path, kind)
        for path, stack in modules.items()
        if isinstance(stack, nn.ModuleList) and len(stack) == text.num_hidden_layers and not NOT_TEXT.search(path)
        for kind in ATTENTIONS
        if all(hasattr(layer, kind) for layer in stack)
    ]
    if len(stacks) != 1:
        raise refuse("its decoder's layers are not to be told from the rest")
    ((layers, kind),) = stacks
    parent = layers.rpartition(".")[0]
    norm = next((f"{parent}.{each}" for each in NORMS if f"{parent}.{each}" in modules), None)
    head = next((path for path, module in modules.items() if module is shell.get_output_embeddings()), None)
    if norm is None or head is None or not shell._can_set_attn_implementation():
        raise refuse("its last norm, its head or its attention is not where others have it")
    around = hasattr(modules[layers][0], "pre_feedforward_layernorm")  # a norm on each side, as in Gemma 2
    return Family(
        name=f"{config.model_type}, without a row",
        model_type=config.model_type,
        projector="",
        prompt=f"{tokenizer.convert_ids_to_tokens(getattr(config, number))}\n{{question}}",
        grid=grids.centre_crop,
        canvas=None,
        layer=f"{layers}.{{i}}",
        attention=f"{layers}.{{i}}.{kind}",
        norm=norm,
        head=head,
        after=f"{layers}.{{i}}.post_attention_layernorm" if around else "",
        cap="final_logit_softcapping" if getattr(text, "final_logit_softcapping", None) else "",
        image_token_id=number,
        layers=lambda config: config.get_text_config().num_hidden_layers,
        causal=False,  # not known: the careful way is right for both
        alike=False,
        second=False,
        guessed=True,
    )


def tried(vlm: "HuggingFaceVLM") -> tuple[Family, str]:
    """The row with its guessed grid, or with none if that does not hold; and in words what is to be had."""
    told = f"“{vlm.family.model_type}” has no row here and is read by the common conventions. Budgets are exact"
    if _grid_holds(vlm):
        return vlm.family, f"{told}; the grid was guessed, and held up when spots on a picture were changed."
    return replace(vlm.family, grid=grids.nowhere), f"{told}; it is not known where its image tokens lie: no maps."


def _grid_holds(vlm: "HuggingFaceVLM") -> bool:
    """Whether a changed spot changes most, among the image tokens, the one whose cell holds it."""
    rng = np.random.default_rng(0)
    hits = []
    for width, height in SHAPES:
        pixels = rng.integers(100, 156, (height, width, 3), dtype=np.uint8)
        try:
            before, boxes = _tokens(vlm, pixels)
        except ModelError:  # more or fewer tokens than cells
            return False
        for cell in rng.integers(len(boxes), size=SPOTS):
            left, top, right, bottom = boxes[cell].round().astype(int)
            spotted = pixels.copy()
            spotted[max(top, 0) : bottom, max(left, 0) : right] = rng.integers(0, 2, 3) * 255
            changed = (_tokens(vlm, spotted)[0] - before).norm(dim=-1)
            hits.append(int(changed.argmax()) == cell)
    return float(np.mean(hits)) >= HOLDS


class _Enough(Exception):
    """The image tokens have been seen; the rest of the pass is not needed."""


def _tokens(vlm: "HuggingFaceVLM", pixels: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """The image tokens as they enter the decoder, float32 [cell, width], and their boxes."""
    ready = vlm.prepare(Image.fromarray(pixels), "what is this?")
    found: list[Tensor] = []

    def see(_layer: int, states: Tensor) -> None:
        found.append(states[0, torch.as_tensor(ready.grid.positions)].float().cpu())
        raise _Enough

    try:
        with vlm.lock, torch.inference_mode(), vlm.listening(), recording(Recorder({}, np.zeros(0), {}, see=see)):
            vlm.logits(ready)
    except _Enough:
        pass
    return found[0], ready.grid.boxes
