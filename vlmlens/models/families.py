"""Hugging Face families, one row each: what must be known to see inside one.

Facts and traps of each family are written in its row, not in the code that reads it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vlmlens.models import canvas, detail, grids
from vlmlens.models.canvas import Canvas
from vlmlens.models.detail import Detail
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
    variant: str = ""  # tells apart the rows of one model_type
    decoders: tuple[str, ...] = ()  # config.text_config.model_type, where other decoders need another row
    towers: tuple[str, ...] = ()  # config.vision_config.model_type, likewise
    processor: str = ""  # its class, where it is to be loaded without the half that reads videos
    detail: Callable[[Any, Any, Detail], None] | None = None  # sets (processor, config); None: every picture alike
    prompt: str = "{question}"  # used where the processor brings no chat template
    options: Mapping[str, Any] = field(default_factory=dict)  # for the processor, at every call
    head: str = "lm_head"  # from the last states to the logits
    beside: bool = False  # whether the prompt does not hold the picture's tokens: one a patch, and one for a whole

    def fits(self, config: Mapping[str, Any]) -> bool:
        """Whether a config, as a config.json holds it, is one of this row."""
        decoder, tower = parts(config)
        return (
            self.model_type == config.get("model_type")
            and (not self.architecture or self.architecture in (config.get("architectures") or ()))
            and (not self.decoders or decoder in self.decoders)
            and (not self.towers or tower in self.towers)
        )


@dataclass(frozen=True, kw_only=True)
class Family(Row):
    """A causal decoder with the picture in its sequence; a row says what differs from the rest.

    Module names may hold `{i}` for the number of a layer.
    """

    reader: str = "huggingface:HuggingFaceVLM"
    projector: str  # its output: the image tokens [picture, token, width] as they enter the decoder; "" for unknown
    grid: Callable[[Mapping[str, Any], Any, Any, tuple[int, int]], Grid]
    # (inputs, processor, positions of the image tokens, size of the first picture) -> where that one's lie
    canvas: Callable[[Mapping[str, Any], Any, Grid], Canvas] | None = canvas.tiled
    layer: str = "model.language_model.layers.{i}"  # a decoder layer, whose input states can be replaced
    attention: str = "model.language_model.layers.{i}.self_attn"  # its attention module
    norm: str = "model.language_model.norm"  # after the last layer
    after: str = ""  # a norm of what attention writes, between it and the residual stream
    cap: str = ""  # attribute of config.text_config: logits are bent to lie within it on both sides
    image_token_id: str = "image_token_id"  # attribute of the config
    placeholder: str = ""  # what stands for a picture in a prompt, where the image token does not
    layers: Callable[[Any], int] = decoder_layers  # config -> how many there are
    written: Callable[[str, Any], str] | None = None
    # (prompt, tokenizer) -> what the processor makes of it before it repeats the image token
    causal: bool = True  # whether what comes before a position never reads it, but for the picture's tokens each other
    whole_from: Callable[[Any], int] | None = None  # config -> the first layer after which no more of the picture comes
    alike: bool = True  # whether every picture becomes the same number of tokens
    guessed: bool = False  # whether this is no row of the table, see `unknown`
    second: bool = True  # whether the model was made for more than one picture


def parts(config: Mapping[str, Any]) -> tuple[str, str]:
    """The model types of a config's decoder and vision tower."""
    decoder, tower = (
        str((config.get(name) or {}).get("model_type", "unknown")) for name in ("text_config", "vision_config")
    )
    return decoder, tower


def family_of(config: Mapping[str, Any]) -> Row | None:
    """The row of a config, as a config.json holds it."""
    return next((row for row in ROWS.values() if row.fits(config)), None)


def bos_after_the_picture(prompt: str, tokenizer: Any) -> str:
    """PaliGemma's processor puts the first token behind the picture, and ends the prompt with a line break."""
    before, image, after = prompt.rpartition("<image>")
    return f"{before}{image}{tokenizer.bos_token}{after}\n"


def written_as_a_paragraph(prompt: str, tokenizer: Any) -> str:
    """Gemma 3's processor puts a picture between two signs, and those between empty lines."""
    image = f"{tokenizer.boi_token}{tokenizer.image_token}{tokenizer.eoi_token}"
    return prompt.replace(tokenizer.boi_token, f"\n\n{image}\n\n")


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
    "detail": detail.merged,
    "alike": False,
}

PALIGEMMA: dict[str, Any] = {
    "model_type": "paligemma",
    "projector": "model.multi_modal_projector",
    "prompt": "<image>answer en {question}",
    "grid": grids.centre_crop,  # it crops nothing: the picture is squeezed to a square
    "written": bos_after_the_picture,
    "causal": False,  # the prompt is a prefix whose positions all read each other
    "second": False,
}

IDEFICS: dict[str, Any] = {  # SmolVLM is built like Idefics 3; its own processor class would need a package for numbers
    "layer": "model.text_model.layers.{i}",
    "attention": "model.text_model.layers.{i}.self_attn",
    "norm": "model.text_model.norm",
    "projector": "model.connector",
    "prompt": "<|im_start|>User:<image>{question}<end_of_utterance>\nAssistant:",
    "grid": grids.split,
    "detail": detail.split,
    "processor": "Idefics3Processor",
    "alike": False,
}

QFORMER: dict[str, Any] = {
    "reader": "qformer:QFormerVLM",
    "projector": "language_projection",
    "head": "language_model.lm_head",
    "grid": grids.queried,
    "second": False,
}

FAMILIES = {
    family.model_type + family.variant: family
    for family in (
        Family(
            name="LLaVA-1.5",
            model_type="llava",
            projector="model.multi_modal_projector",
            prompt="USER: <image>\n{question} ASSISTANT:",
            grid=grids.centre_crop,
            # Pixtral's tower, under the same name, has rows of any length; a picture's shape would be guessed wrong.
            towers=("clip_vision_model", "siglip_vision_model"),
        ),
        Family(
            name="LLaVA-NeXT",
            model_type="llava_next",
            projector="model.multi_modal_projector",
            prompt="[INST] <image>\n{question} [/INST]",
            grid=grids.anyres,
            canvas=canvas.anyres,
            detail=detail.anyres,
            alike=False,
        ),
        Family(
            name="LLaVA-OneVision",
            model_type="llava_onevision",
            projector="model.multi_modal_projector",
            prompt="<|im_start|>user <image>\n{question}<|im_end|><|im_start|>assistant\n",
            grid=grids.anyres,
            canvas=canvas.anyres,
            detail=detail.anyres,
            processor="LlavaOnevisionProcessor",
            alike=False,
        ),
        Family(
            name="InternVL",
            model_type="internvl",
            projector="model.multi_modal_projector",
            prompt="<|im_start|>user\n<IMG_CONTEXT>\n{question}<|im_end|>\n<|im_start|>assistant\n",
            grid=grids.canvas,
            detail=detail.canvas,
            processor="InternVLProcessor",
            alike=False,
        ),
        Family(name="PaliGemma", decoders=("gemma",), **PALIGEMMA),
        Family(
            name="PaliGemma 2",
            variant="2",
            decoders=("gemma2",),
            after="model.language_model.layers.{i}.post_attention_layernorm",
            cap="final_logit_softcapping",
            **PALIGEMMA,
        ),
        Family(
            name="Gemma 3",
            model_type="gemma3",
            projector="model.multi_modal_projector",
            prompt="<start_of_turn>user\n<start_of_image>{question}<end_of_turn>\n<start_of_turn>model\n",
            grid=grids.centre_crop,  # see PaliGemma
            after="model.language_model.layers.{i}.post_attention_layernorm",
            placeholder="<start_of_image>",
            options={"do_pan_and_scan": False},  # crops of the picture, as further pictures
            written=written_as_a_paragraph,
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
        Family(
            name="GLM-4.1V",
            model_type="glm4v",
            projector="model.visual.merger",
            prompt="[gMASK]<sop><|user|>\n<|begin_of_image|><|image|><|end_of_image|>{question}<|assistant|>\n",
            grid=grids.merged,
            canvas=canvas.merged,
            detail=detail.framed,
            after="model.language_model.layers.{i}.post_self_attn_layernorm",
            processor="Glm4vProcessor",
            alike=False,
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
            head="text_decoder.cls.predictions.decoder",
            beside=True,
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
            beside=True,
            alike=False,
            second=False,
        ),
        Row(name="Florence-2", model_type="florence2", reader="florence:FlorenceVLM"),
        Row(
            name="ViLT",
            model_type="vilt",
            reader="vilt:ViltVLM",
            architecture="ViltForQuestionAnswering",
            implementation="eager",
            head="classifier",
            beside=True,
        ),
    )
}

# Between tower and decoder stands a Q-Former, whose queries are the picture's tokens and have no place on it.
RESAMPLED = {
    row.model_type: row
    for row in (
        Family(
            name="BLIP-2",
            model_type="blip-2",
            architecture="Blip2ForConditionalGeneration",  # others compare pictures with texts
            decoders=("opt",),  # T5 has an encoder between the queries and the answer
            prompt="Question: {question} Answer:",
            layer="language_model.model.decoder.layers.{i}",
            attention="language_model.model.decoder.layers.{i}.self_attn",
            norm="language_model.model.decoder.final_layer_norm",
            **QFORMER,
        ),
        Family(
            name="InstructBLIP",
            model_type="instructblip",
            architecture="InstructBlipForConditionalGeneration",
            decoders=("llama",),  # see BLIP-2
            prompt="Question: {question} Short answer:",
            layer="language_model.model.layers.{i}",
            attention="language_model.model.layers.{i}.self_attn",
            norm="language_model.model.norm",
            **QFORMER,
        ),
    )
}

ROWS: dict[str, Row] = {**FAMILIES, **STREAMS, **RESAMPLED}


def known() -> str:
    """The names of all families, for a sentence."""
    *others, last = (row.name for row in ROWS.values())
    return f"{', '.join(others)} or {last}"
