"""How large are the parts of a model: the decoder, the vision tower, and what joins them?

Read from a config as it lies on the hub, so that a published row and a loaded model go the same way. Widths are in
numbers, nothing here holds weights.

    Decoder.of(config["text_config"])
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlmlens.errors import NotApplicable

UNGATED = {"opt", "gpt2", "gpt_neox", "phi", "gptj", "bloom", "falcon", "starcoder2", "mpt"}  # a plain two-map MLP
WITH_WHOLE = {"clip_vision_model", "internvl_vision", "blip_2_vision_model", "instructblip_vision_model"}
GATED_TOWERS = {"qwen2_5_vl_vision", "qwen2_5_vl", "glm4v_vision"}

Config = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """The part that reads the sequence."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head: int  # width of one
    inner: int  # of the MLP
    vocabulary: int
    gated: bool = True  # whether the MLP has a third map, which gates
    window: int = 0  # tokens that a windowed layer keeps; 0 for no window
    windowed: int = 0  # layers
    crossed: int = 0  # of the layers, those that look at the picture beside the sequence

    @classmethod
    def of(cls, config: Config) -> "Decoder":
        """Raises NotApplicable for what is no plain decoder."""
        kind = str(config.get("model_type", ""))
        if any(config.get(name) for name in ("num_local_experts", "num_experts", "n_routed_experts")):
            raise NotApplicable("Its layers choose among experts; how much they compute depends on the words.")
        if config.get("is_encoder_decoder") or "encoder_layers" in config:
            raise NotApplicable("It has an encoder and a decoder; these formulas are of a decoder alone.")
        try:
            hidden, heads = config["hidden_size"], config["num_attention_heads"]
            layers = config["num_hidden_layers"]
            inner, vocabulary = config.get("intermediate_size") or config["ffn_dim"], config["vocab_size"]
        except KeyError as missing:
            raise NotApplicable(f"Its config does not say {missing}, which the cost depends on.") from missing
        window, windowed = _windowed(config, layers)
        return cls(
            layers=layers,
            hidden=hidden,
            heads=heads,
            kv_heads=config.get("num_key_value_heads") or heads,
            head=config.get("head_dim") or hidden // heads,
            inner=inner,
            vocabulary=vocabulary,
            gated=kind not in UNGATED,
            window=window,
            windowed=windowed,
            crossed=len(config.get("cross_attention_layers") or ()),
        )


def _windowed(config: Config, layers: int) -> tuple[int, int]:
    """What a windowed layer keeps, and how many such layers there are."""
    window = config.get("sliding_window")
    if not window or config.get("use_sliding_window") is False:
        return 0, 0
    if kinds := config.get("layer_types"):
        count = sum(kind == "sliding_attention" for kind in kinds)
    elif pattern := config.get("sliding_window_pattern"):  # every so-many-th layer has none
        count = layers - layers // pattern
    else:
        count = layers
    return (int(window), count) if count else (0, 0)


@dataclass(frozen=True, kw_only=True)
class Tower:
    """A vision transformer; one token a patch."""

    layers: int
    hidden: int
    heads: int
    inner: int
    values: int  # numbers of one patch: edges, colors, frames
    gated: bool = False
    extra: int = 0  # tokens of the whole, of each view
    padded: int = 1  # tokens of a view are filled up to a multiple of this
    joined: bool = False  # whether all views of a picture are one sequence
    window: int = 0  # patches a side of a window; 0 for no windows
    windowed: int = 0  # layers

    @classmethod
    def of(cls, config: Config) -> "Tower | None":
        """None for a tower of another build: the cost is then told without it."""
        kind = str(config.get("model_type", ""))
        hidden = config.get("embed_dim") or config.get("hidden_size")
        layers = config.get("num_hidden_layers") or config.get("depth")
        heads = config.get("num_attention_heads") or config.get("num_heads") or config.get("attention_heads")
        patch = config.get("patch_size")
        if not (isinstance(hidden, int) and isinstance(layers, int) and heads and patch):
            return None
        patch = patch[0] if isinstance(patch, list | tuple) else patch
        inner = config.get("intermediate_size") or int(hidden * config.get("mlp_ratio", 4))
        if kind.startswith("glm4v"):
            inner = config["out_hidden_size"]  # its intermediate size is that of what follows the tower
        full = config.get("fullatt_block_indexes") or ()
        return cls(
            layers=layers + (config.get("num_global_layers") or 0),
            hidden=hidden,
            heads=heads,
            inner=inner,
            values=patch**2 * 3 * (config.get("temporal_patch_size") or 1),
            gated=kind in GATED_TOWERS,
            extra=int(kind in WITH_WHOLE or kind.startswith("mllama")),
            padded=8 if kind.startswith("mllama") else 1,
            joined=kind.startswith("mllama"),
            window=config["window_size"] // patch if full else 0,
            windowed=layers - len(full) if full else 0,
        )


@dataclass(frozen=True, kw_only=True)
class Reader:
    """A Q-Former: learned queries that look at each other and, every so-many-th layer, at the tower's tokens."""

    queries: int
    layers: int
    crossed: int
    hidden: int
    inner: int
    source: int  # width of the tower's tokens


@dataclass(frozen=True, kw_only=True)
class Connector:
    """From the tower's tokens to the decoder's width: linear maps, after so many patches a side were put together."""

    merge: int = 1
    maps: tuple[tuple[int, int], ...] = ()  # widths in and out
    whole: bool = False  # whether the tokens of the whole go through it
    reader: Reader | None = None


def connector_of(config: Config) -> Connector | None:
    """What joins the two parts of a family that this knows; None otherwise."""
    kind, vision, text = config.get("model_type"), config["vision_config"], config["text_config"]
    seen, width = vision.get("embed_dim") or vision.get("hidden_size"), text["hidden_size"]
    match kind:
        case "llava" | "llava_next" | "llava_onevision":
            whole = kind != "llava_onevision" and config.get("vision_feature_select_strategy") == "full"
            return Connector(maps=((seen, width), (width, width)), whole=whole)
        case "internvl":
            merge = round(1 / config.get("downsample_ratio", 0.5))
            return Connector(merge=merge, maps=((seen * merge**2, width), (width, width)))
        case "paligemma":
            return Connector(maps=((seen, width),))
        case "gemma3":
            side = vision["image_size"] // vision["patch_size"]
            return Connector(merge=side // round(config["mm_tokens_per_image"] ** 0.5), maps=((seen, width),))
        case "qwen2_vl" | "qwen2_5_vl" | "qwen3_vl":
            merge = vision["spatial_merge_size"]
            deep = 1 + len(vision.get("deepstack_visual_indexes") or ())  # read at several depths, each by its own
            return Connector(merge=merge, maps=((seen * merge**2, seen * merge**2), (seen * merge**2, width)) * deep)
        case "glm4v":
            merge, out, inner = vision["spatial_merge_size"], vision["out_hidden_size"], vision["intermediate_size"]
            return Connector(
                merge=merge, maps=((seen * merge**2, out), (out, out), (out, inner), (out, inner), (inner, out))
            )
        case "idefics3" | "smolvlm":
            return Connector(merge=config["scale_factor"], maps=((seen * config["scale_factor"] ** 2, width),))
        case "mllama":
            return Connector(maps=((vision["vision_output_dim"], width),), whole=True)
        case "blip-2" | "instructblip":
            asks = config["qformer_config"]
            reader = Reader(
                queries=config["num_query_tokens"],
                layers=asks["num_hidden_layers"],
                crossed=-(-asks["num_hidden_layers"] // asks["cross_attention_frequency"]),
                hidden=asks["hidden_size"],
                inner=asks["intermediate_size"],
                source=asks["encoder_hidden_size"],
            )
            return Connector(maps=((asks["hidden_size"], width),), reader=reader)
    return None
