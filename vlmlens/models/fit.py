"""Will it fit? What a model needs to be asked about one picture, against what is free, before any weight is read.

need = weights + cache of keys and values + what one pass holds at its fullest

    size = picture_size(processor, family, (1024, 768))
    need(config, count(config), size, Precision(torch.bfloat16)).total  # bytes
"""

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

import torch
import transformers
from PIL import Image
from torch import nn
from transformers import AutoModelForImageTextToText

from vlmlens.errors import ModelError, NoRoom
from vlmlens.models.device import Precision, bitsandbytes_lacks, devices, free_memory
from vlmlens.models.families import Row

GIB = 2**30
SPARE = 1.1  # of what is needed: the runtime's own, and what an allocator cannot use
PICTURE = (1024, 768)  # pixels of the picture that a load makes room for
QUESTION = "what is in the left half of the picture, and what color is it?"
ROWS = 16  # whose attention is kept: the question's and the answer's
NEW = 32  # tokens of an answer
SPREAD = "all GPUs"  # the device of a model that is larger than one of them
WHOLE = (".o_proj", ".out_proj", ".dense")  # never quantised: contributions are read through these weights


@dataclass(frozen=True)
class Count:
    """Parameters of a model."""

    linear: int  # of linear maps that bitsandbytes would quantise
    rest: int

    @property
    def total(self) -> int:
        return self.linear + self.rest


@dataclass(frozen=True)
class Size:
    """What a picture and a question become."""

    tokens: int  # of the prompt, picture included
    pixels: int  # numbers that the vision tower is given


@dataclass(frozen=True)
class Need:
    """Bytes."""

    weights: int
    cache: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.cache + self.activations


@dataclass(frozen=True)
class Fit:
    """A precision on a device."""

    parameters: int
    precision: Precision
    device: str
    need: Need
    free: int | None  # bytes; None where the system does not say

    @property
    def fits(self) -> bool:
        return self.free is None or SPARE * self.need.total <= self.free

    def sentence(self) -> str:
        free = "" if self.free is None else f"; {self.free / GIB:.1f} GiB are free"
        return (
            f"{self.parameters / 1e9:.2f} billion parameters and one picture take {self.need.total / GIB:.1f} GiB in "
            f"{self.precision} on {self.device}{free}"
        )


def model_class(family: Row | None) -> Any:
    """The class of transformers' that a family's models are of."""
    named = family.architecture if family else ""
    return getattr(transformers, named) if named else AutoModelForImageTextToText


def count(config: Any, family: Row | None = None) -> Count:
    """Counted without making them."""
    kind = model_class(family)
    make = kind._from_config if family and family.architecture else kind.from_config
    with torch.device("meta"):
        shell = make(copy.deepcopy(config))  # it changes its config
    linear = sum(
        module.weight.numel()
        for name, module in shell.named_modules()
        if isinstance(module, nn.Linear) and "lm_head" not in name and not name.endswith(WHOLE)
    )
    return Count(linear, sum(parameter.numel() for parameter in shell.parameters()) - linear)


def picture_size(processor: Any, family: Row, size: tuple[int, int] = PICTURE, config: Any = None) -> Size:
    """What the processor makes of a picture of `size` (width, height) and an ordinary question.

    Without the config, a picture that stands beside the prompt is not counted.
    """
    inputs = processor(
        images=[Image.new("RGB", size)],
        text=[family.prompt.format(question=QUESTION)],
        return_tensors="pt",
        **family.options,
    )
    pixels = inputs["pixel_values"]
    return Size(int(inputs["input_ids"].shape[1]) + _beside(family, config, pixels.shape), int(pixels.numel()))


def _beside(family: Row, config: Any, shape: torch.Size) -> int:
    """Tokens of pictures or tiles [..., rgb, y, x] that stand beside the prompt."""
    if not family.beside or config is None:
        return 0
    patch = (getattr(config, "vision_config", None) or config).patch_size
    return shape[:-3].numel() * ((shape[-2] // patch) * (shape[-1] // patch) + 1)


def small_size(processor: Any, family: Row, config: Any, size: tuple[int, int] = PICTURE) -> Size | None:
    """The same in as few tokens as the family allows (`detail="low"`); None where it has no say in that."""
    if family.detail is None:
        return None
    few = copy.copy(processor)
    few.image_processor = copy.deepcopy(processor.image_processor)
    family.detail(few, copy.deepcopy(config), "low")
    return picture_size(few, family, size, config)


def need(config: Any, counted: Count, size: Size, precision: Precision, on_cpu: bool = False) -> Need:
    """What one question about one picture needs, answered with the cache and watched at every layer."""
    item = precision.itemsize
    linear = counted.linear * (item if precision.bits is None else {8: 1.0, 4: 0.5 + 4 / 64}[precision.bits])
    cache = cached(config, size.tokens + NEW) * item
    held = _activations(config, size, item)
    if on_cpu and item < 4:  # torch makes a copy of the matrix that one row is multiplied with; the head's is largest
        text = config.get_text_config()
        held += text.vocab_size * text.hidden_size * item
    return Need(round(linear) + counted.rest * item, cache, held)


def cached(config: Any, tokens: int) -> int:
    """Numbers that the cache holds of so many tokens, keys and values; a window forgets what is before it."""
    text = config.get_text_config()
    heads = getattr(text, "num_key_value_heads", None) or text.num_attention_heads
    kinds = getattr(text, "layer_types", None) or ["full_attention"] * text.num_hidden_layers
    window = min(tokens, (getattr(text, "sliding_window", None) or tokens + 1) - 1)
    kept = sum(window if kind == "sliding_attention" else tokens for kind in kinds)
    return int(2 * kept * heads * _head(text))


def _head(text: Any) -> int:
    """The width of an attention head."""
    return int(getattr(text, "head_dim", None) or text.hidden_size // text.num_attention_heads)


def _activations(config: Any, size: Size, item: int) -> int:
    """Bytes beside weights and cache: tower and decoder follow each other, what is watched stays.

    At a decoder layer's fullest stand three intermediate states (gate, up, their product), the residual stream twice,
    and the embeddings on their way in, with the picture's features in them.
    """
    text = config.get_text_config()
    inner = getattr(text, "intermediate_size", None) or 4 * text.hidden_size
    decoder = size.tokens * (3 * inner + 7 * text.hidden_size) * item
    watched = text.num_hidden_layers * text.num_attention_heads * ROWS * size.tokens * 4
    if item < 4:  # contributions are computed in float32: values of all heads, one output projection
        heads = text.num_attention_heads * _head(text)
        watched += 4 * heads * (size.tokens + text.hidden_size)
    return int(4 * size.pixels + max(decoder, _tower(config, size, item)) + watched)


def _tower(config: Any, size: Size, item: int) -> int:
    """The vision tower's own, where its config names the usual parts."""
    vision = getattr(config, "vision_config", None)
    patch = getattr(vision, "patch_size", None)
    if vision is None or not isinstance(patch, int):
        return 0
    channels = getattr(vision, "num_channels", None) or getattr(vision, "in_channels", None) or 3
    patches = size.pixels // (channels * patch**2 * (getattr(vision, "temporal_patch_size", None) or 1))
    width = getattr(vision, "embed_dim", None) or vision.hidden_size
    inner = getattr(vision, "intermediate_size", None) or int(width * (getattr(vision, "mlp_ratio", None) or 4))
    layers = getattr(vision, "num_hidden_layers", None) or getattr(vision, "depth", None) or 0
    kept = layers + 1 if hasattr(config, "vision_feature_layer") else 1  # every layer's states, of which one is read
    return int(patches * (kept * width + 3 * inner + 2 * width) * item)


def fit(config: Any, counted: Count, size: Size, precision: Precision, device: torch.device) -> Fit:
    needed = need(config, counted, size, precision, device.type == "cpu")
    return Fit(counted.total, precision, str(device), needed, free_memory(device))


def stored_dtype(config: Any) -> torch.dtype:
    """The precision that the weights were saved in."""
    found = getattr(config, "dtype", None) or getattr(config.get_text_config(), "dtype", None)
    return found if isinstance(found, torch.dtype) else torch.float32


def choose(config: Any, counted: Count, size: Size, device: torch.device, asked: Precision | None) -> Fit:
    """The precision to load in: what was asked for, else float32 on a CPU that has room, else the stored one.

    It need not fit.
    """
    stored = Precision(stored_dtype(config))
    wanted = [asked] if asked else [Precision(torch.float32), stored] if device.type == "cpu" else [stored]
    found = [fit(config, counted, size, precision, device) for precision in wanted]
    return next((each for each in found if each.fits), found[-1])


def spread_over(fit: Fit, device: torch.device) -> Fit | None:
    """The same over several GPUs where one does not suffice and all do. Raises ModelError without accelerate."""
    gpus = [each for each in devices() if each.type == "cuda"]
    if device.type != "cuda" or len(gpus) < 2 or fit.precision.bits is not None:
        return None
    spread = replace(fit, device=SPREAD, free=sum(free_memory(gpu) or 0 for gpu in gpus))
    if spread.fits and find_spec("accelerate") is None:
        raise ModelError(
            f"It fits on {len(gpus)} GPUs only together; `pip install accelerate` for that, then start again."
        )
    return spread if spread.fits else None


def ways_out(config: Any, counted: Count, size: Size, tried: Fit, small: Size | None = None) -> Iterator[str]:
    """What would fit where `tried` does not, in words, the least loss first. `small`: the picture at low detail."""
    here = torch.device(tried.device)

    def would(precision: Precision, picture: Size = size) -> bool:
        return fit(config, counted, picture, precision, here).fits

    smaller = [dtype for dtype in (torch.bfloat16, torch.float16) if dtype.itemsize < tried.precision.itemsize]
    for dtype in smaller[: tried.precision.bits is None]:
        if would(Precision(dtype)):
            yield f"dtype {Precision(dtype)}"
    if small is not None and small.tokens < size.tokens and would(tried.precision, small):
        yield f"detail low ({small.tokens} tokens in place of {size.tokens})"
    for bits in (8, 4) if here.type == "cuda" else ():
        if (tried.precision.bits or 16) > bits and would(Precision(torch.bfloat16, bits)):
            lacks = bitsandbytes_lacks()
            yield f"dtype {bits}bit" + (f" (first `pip install {lacks}`)" if lacks else "")
    for other in devices():
        if other.type != here.type and (found := choose(config, counted, size, other, None)).fits:
            yield f"device {other.type} in {found.precision}"


def check_fit(config: Any, processor: Any, family: Row, device: torch.device, asked: Precision | None) -> Fit:
    """The precision to load in, with room for it. Raises NoRoom with the numbers and what would fit."""
    counted, size = count(config, family), picture_size(processor, family, config=config)
    found = choose(config, counted, size, device, asked)
    if found.fits:
        return found
    if (spread := spread_over(found, device)) is not None:
        return spread
    ways = list(ways_out(config, counted, size, found, small_size(processor, family, config)))
    told = f"these would fit: {', '.join(ways)}" if ways else "take a smaller model, or free some memory"
    raise NoRoom(f"It will not fit: {found.sentence()}; {told}.")
