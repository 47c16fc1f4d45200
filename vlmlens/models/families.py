"""Hugging Face families, one row each: what must be known to see inside one.

Facts and traps of each family are written in its row, not in the code that reads it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmlens.models import canvas, grids
from vlmlens.models.canvas import Canvas
from vlmlens.trace.segments import Grid


def decoder_layers(config: Any) -> int:
    return int(config.text_config.num_hidden_layers)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What every family says of itself."""

    name: str  # for people
    model_type: str  # config.model_type
    reader: str  # the class that reads it: module of `vlmlens.models`, class
    architecture: str = ""  # the class of transformers', where several share a model type or none is the automatic one
    implementation: str = "vlmlens"  # of attention; "eager" where that is written out and calls no other
    processor: str = ""  # its class, where it is to be loaded without the half that reads videos
    decoders: tuple[str, ...] = ()  # config.text_config.model_type, where the family has others that are not covered


@dataclass(frozen=True, kw_only=True)
class Family(Row):
    """A causal decoder with the picture in its sequence; a row says what differs from the rest.

    Module names may hold `{i}` for the number of a layer.
    """

    reader: str = "huggingface:HuggingFaceVLM"
    projector: str  # its output: the image tokens [picture, token, width] as they enter the decoder
    prompt: str  # used where the processor brings no chat template
    grid: Callable[[Mapping[str, Any], Any, Any, tuple[int, int]], Grid]
    # (inputs, processor, positions of the image tokens, size of the first picture) -> where that one's lie
    canvas: Callable[[Mapping[str, Any], Any, Grid], Canvas] = canvas.tiled
    layer: str = "model.language_model.layers.{i}"  # a decoder layer, whose input states can be replaced
    attention: str = "model.language_model.layers.{i}.self_attn"  # its attention module
    norm: str = "model.language_model.norm"  # after the last layer
    head: str = "lm_head"  # from there to the logits
    image_token_id: str = "image_token_id"  # attribute of the config
    layers: Callable[[Any], int] = decoder_layers  # config -> how many there are
    options: Mapping[str, Any] = field(default_factory=dict)  # for the processor, at every call
    written: Callable[[str, Any], str] | None = None
    # (prompt, tokenizer) -> what the processor makes of it before it repeats the image token
    causal: bool = True  # whether prompt positions read only what comes before them
    whole_from: Callable[[Any], int] | None = None  # config -> the first layer after which no more of the picture comes
    alike: bool = True  # whether every picture becomes the same number of tokens
    second: bool = True  # whether the model was made for more than one picture


def bos_after_the_picture(prompt: str, tokenizer: Any) -> str:
    """PaliGemma's processor puts the first token behind the picture, and ends the prompt with a line break."""
    before, image, after = prompt.rpartition("<image>")
    return f"{before}{image}{tokenizer.bos_token}{after}\n"


def first_token_written(prompt: str, tokenizer: Any) -> str:
    """Mllama's processor puts the first token behind a picture that the prompt begins with."""
    if tokenizer.bos_token in prompt:
        return prompt
    rest = prompt.removeprefix("<|image|>")
    return f"{prompt[: len(prompt) - len(rest)]}{tokenizer.bos_token}{rest}"


QWEN: dict[str, Any] = {  # what its generations share
    "projector": "model.visual.merger",
    "prompt": "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>{question}<|im_end|>\n"
    "<|im_start|>assistant\n",
    "grid": grids.merged,
    "canvas": canvas.merged,
    "alike": False,
}

IDEFICS: dict[str, Any] = {  # SmolVLM is built like Idefics 3; its own processor class would need a package for numbers
    "layer": "model.text_model.layers.{i}",
    "attention": "model.text_model.layers.{i}.self_attn",
    "norm": "model.text_model.norm",
    "projector": "model.connector",
    "prompt": "<|im_start|>User:<image>{question}<end_of_utterance>\nAssistant:",
    "grid": grids.split,
    "processor": "Idefics3Processor",
    "alike": False,
}

FAMILIES = {
    family.model_type: family
    for family in (
        Family(
            name="LLaVA-1.5",
            model_type="llava",
            projector="model.multi_modal_projector",
            prompt="USER: <image>\n{question} ASSISTANT:",
            grid=grids.centre_crop,
        ),
        Family(
            name="LLaVA-NeXT",
            model_type="llava_next",
            projector="model.multi_modal_projector",
            prompt="[INST] <image>\n{question} [/INST]",
            grid=grids.anyres,
            canvas=canvas.anyres,
            alike=False,
        ),
        Family(
            name="LLaVA-OneVision",
            model_type="llava_onevision",
            projector="model.multi_modal_projector",
            prompt="<|im_start|>user <image>\n{question}<|im_end|><|im_start|>assistant\n",
            grid=grids.anyres,
            canvas=canvas.anyres,
            processor="LlavaOnevisionProcessor",
            alike=False,
        ),
        Family(
            name="InternVL",
            model_type="internvl",
            projector="model.multi_modal_projector",
            prompt="<|im_start|>user\n<IMG_CONTEXT>\n{question}<|im_end|>\n<|im_start|>assistant\n",
            grid=grids.canvas,
            processor="InternVLProcessor",
            alike=False,
        ),
        Family(
            name="PaliGemma",
            model_type="paligemma",
            projector="model.multi_modal_projector",
            prompt="<image>answer en {question}",
            grid=grids.centre_crop,  # it crops nothing: the picture is squeezed to a square
            decoders=("gemma",),
            written=bos_after_the_picture,
            causal=False,  # the prompt is a prefix whose positions all read each other
            second=False,
        ),
        Family(name="Qwen2-VL", model_type="qwen2_vl", processor="Qwen2VLProcessor", **QWEN),
        Family(name="Qwen2.5-VL", model_type="qwen2_5_vl", processor="Qwen2_5_VLProcessor", **QWEN),
        Family(
            name="Qwen3-VL",
            model_type="qwen3_vl",
            processor="Qwen3VLProcessor",
            # After each of its first layers more of the picture is added to the image tokens.
            whole_from=lambda config: len(config.vision_config.deepstack_visual_indexes),
            **QWEN,
        ),
        Family(name="Idefics3", model_type="idefics3", **IDEFICS),
        Family(name="SmolVLM", model_type="smolvlm", **IDEFICS),
    )
}

# Whose picture is no run of tokens in one decoder's sequence: each has a class of its own.
STREAMS = {
    row.model_type: row
    for row in (
        Row(
            name="BLIP-VQA",
            model_type="blip",
            reader="blip:BlipVLM",
            architecture="BlipForQuestionAnswering",
            implementation="eager",
        ),
        Family(
            name="Mllama",
            model_type="mllama",
            reader="mllama:MllamaVLM",
            projector="model.multi_modal_projector",
            prompt="<|image|>{question}",
            attention="model.language_model.layers.{i}",  # of one kind in some layers, of another in others
            options={"add_special_tokens": False},  # the processor or the chat template writes the first token
            written=first_token_written,
            grid=grids.cornered,
            alike=False,
            second=False,
        ),
        Row(
            name="ViLT",
            model_type="vilt",
            reader="vilt:ViltVLM",
            architecture="ViltForQuestionAnswering",
            implementation="eager",
        ),
    )
}

ROWS: dict[str, Row] = {**FAMILIES, **STREAMS}


def known() -> str:
    """The names of all families, for a sentence."""
    *others, last = (row.name for row in ROWS.values())
    return f"{', '.join(others)} or {last}"
