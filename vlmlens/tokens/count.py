"""How many image tokens does a family make of a picture? One row a family, in closed form.

cut = read_cut("qwen2_vl", images, config)  # preprocessor_config.json and config.json, or their like
cut.see(1024, 768).tokens
"""

from collections.abc import Callable, Mapping
from typing import Any

from vlmlens.errors import NotApplicable
from vlmlens.tokens.cuts import AnyRes, Canvas, Cut, Natural, Queried, Shortest, Split, Square, Tiled

Settings = Mapping[str, Any]  # of an image processor, or a config, by name


def _edge(value: Any) -> int:
    """Of a square, however it is written."""
    if isinstance(value, Mapping):
        value = next(value[name] for name in ("shortest_edge", "height", "longest_edge") if value.get(name))
    return int(value[0] if isinstance(value, list | tuple) else value)


def _patch(config: Settings) -> int:
    return _edge(config["vision_config"]["patch_size"])


def _cropped(images: Settings, config: Settings) -> Cut:
    """LLaVA-1.5: a centre crop; the tower's token of the whole is dropped by default."""
    whole = config.get("vision_feature_select_strategy", "default") == "full"
    with_whole = config["vision_config"].get("model_type") != "siglip_vision_model"
    return Square(_edge(images["crop_size"]), _patch(config), extra=int(whole and with_whole))


def _squeezed(images: Settings, config: Settings) -> Cut:
    return Square(_edge(images["size"]), _patch(config))


def _pooled(images: Settings, config: Settings) -> Cut:
    """Gemma 3: blocks of patches are averaged until so many tokens are left."""
    side, patch = _edge(images["size"]), _patch(config)
    return Square(side, patch, merge=side // patch // round(config["mm_tokens_per_image"] ** 0.5))


def _anyres(images: Settings, config: Settings) -> Cut:
    layouts = tuple((int(tall), int(wide)) for tall, wide in images["image_grid_pinpoints"])
    bound = str(config.get("vision_aspect_ratio") or "").removeprefix("anyres_max_")
    tile = images.get("crop_size") if images.get("do_center_crop") else None  # as many pixels as it keeps
    return AnyRes(_edge(tile or images["size"]), _patch(config), layouts, int(bound) if bound.isdigit() else 0)


def _tiled(images: Settings, config: Settings) -> Cut:
    merge = round(1 / config.get("downsample_ratio", 0.5))
    most = images.get("max_patches", 12)
    return Tiled(_edge(images["size"]), _patch(config), merge, images.get("min_patches", 1), most)


def _split(images: Settings, config: Settings) -> Cut:
    return Split(
        longest=_edge(images["size"]),
        tile=_edge(images["max_image_size"]),
        patch=_patch(config),
        merge=config["scale_factor"],
        split=images.get("do_image_splitting", True),
    )


def _natural(images: Settings, config: Settings) -> Cut:
    least, most = images["size"]["shortest_edge"], images["size"]["longest_edge"]
    return Natural(images["patch_size"], images["merge_size"], least, most)


def _framed(images: Settings, config: Settings) -> Cut:
    """GLM: like Qwen, but its bounds count the frames that a picture is made to be."""
    least, most = images["size"]["shortest_edge"], images["size"]["longest_edge"]
    return Natural(images["patch_size"], images["merge_size"], least, most, images["temporal_patch_size"], True)


def _canvas(images: Settings, config: Settings) -> Cut:
    return Canvas(_edge(images["size"]), _patch(config), images["max_image_tiles"])


def _queried(images: Settings, config: Settings) -> Cut:
    return Queried(config["num_query_tokens"], _edge(images["size"]), _patch(config))


def _with_whole(images: Settings, config: Settings) -> Cut:
    """BLIP-VQA: its words look at the patches and at the token of the whole."""
    return Square(_edge(images["size"]), _patch(config), extra=1)


def _staged(images: Settings, config: Settings) -> Cut:
    """Florence-2: a tower of stages, each of which halves the picture or more; the mean is one more token."""
    stride = 1
    for each in config["vision_config"]["patch_stride"]:
        stride *= int(each)
    return Square(_edge(images["size"]), stride, extra=1)


def _shortest(images: Settings, config: Settings) -> Cut:
    return Shortest(_edge(images["size"]), _edge(config["patch_size"]), images["size_divisor"])


COUNTS: dict[str, Callable[[Settings, Settings], Cut]] = {  # by the key of `vlmlens.models.families.ROWS`
    "llava": _cropped,
    "llava_next": _anyres,
    "llava_onevision": _anyres,
    "internvl": _tiled,
    "paligemma": _squeezed,
    "paligemma2": _squeezed,
    "gemma3": _pooled,
    "qwen2_vl": _natural,
    "qwen2_5_vl": _natural,
    "qwen3_vl": _natural,
    "glm4v": _framed,
    "idefics3": _split,
    "smolvlm": _split,
    "blip": _with_whole,
    "mllama": _canvas,
    "florence2": _staged,
    "vilt": _shortest,
    "blip-2": _queried,
    "instructblip": _queried,
}


def read_cut(family: str, images: Settings, config: Settings) -> Cut:
    """How a family cuts pictures up, from the settings of an image processor and a config.

    Raises NotApplicable for a family without a row, and for settings that its row cannot read.
    """
    if family not in COUNTS:
        raise NotApplicable(f"How “{family}” cuts a picture into tokens is not known; it has no row in the table.")
    try:
        return COUNTS[family](images, config)
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        raise NotApplicable(f"The settings of this {family} do not say how it cuts a picture: {error}.") from error
