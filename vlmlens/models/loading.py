"""From a folder or a hub name to a model in memory: its family, its processor, its weights."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForImageTextToText

from vlmlens.errors import ModelError, first_line
from vlmlens.models.device import pick_device, pick_dtype
from vlmlens.models.families import FAMILIES, Family, known
from vlmlens.models.fit import choose_dtype
from vlmlens.models.processor import load_processor


@dataclass(frozen=True, eq=False)
class Opened:
    """What was loaded, all of it transformers' own."""

    source: str
    family: Family
    config: Any
    processor: Any
    model: Any  # on its device
    revision: str
    device: torch.device


def open_model(source: str, device: str = "auto", dtype: str = "auto") -> Opened:
    """A model in memory. Attention goes through the function registered as `vlmlens`. Raises ModelError."""
    family, config = find_family(source)
    placed = pick_device(device)
    asked = pick_dtype(dtype)
    try:
        precision = choose_dtype(config, placed, asked)
        processor = load_processor(source, family.processor)
        model, loading = AutoModelForImageTextToText.from_pretrained(
            source,
            attn_implementation="vlmlens",
            use_safetensors=True,
            trust_remote_code=False,
            dtype=precision,
            output_loading_info=True,
        )
    except ModelError:
        raise
    except Exception as error:  # on a broken file these libraries raise whatever they stumble over
        raise ModelError(f"“{source}” could not be loaded: {first_line(error)}") from error
    if missing := sorted(loading["missing_keys"]):  # transformers would make them up
        raise ModelError(f"The weights in “{source}” lack {missing[0]}; download them again.")
    model = model.to(placed).requires_grad_(False).eval()
    return Opened(
        source, family, config, processor, model, str(getattr(config, "_commit_hash", None) or "local"), placed
    )


def find_family(source: str) -> tuple[Family, Any]:
    """The row for a folder or hub name, from its config alone. Raises ModelError with what to do."""
    path = Path(source)
    looks_local = path.is_absolute() or source.startswith((".", "~")) or os.path.exists(source)
    if looks_local and not os.path.isdir(source):
        raise ModelError(f"There is no folder {source}; check the path, or give a hub name such as org/name.")
    if looks_local and not (path / "config.json").is_file():
        raise ModelError(f"The folder {source} has no config.json; point at the folder that holds the model's files.")
    try:
        config = AutoConfig.from_pretrained(source, trust_remote_code=False)
    except Exception as error:  # see above
        if looks_local:
            raise ModelError(f"The config.json in {source} cannot be read: {first_line(error)}") from error
        raise ModelError(
            f"“{source}” is neither a lab model, nor a folder, nor in the local Hugging Face cache, and could not be "
            "fetched. Check the spelling, the network, and whether the model needs a login."
        ) from error
    family = FAMILIES.get(config.model_type)
    if family is None:
        raise ModelError(f"{source} is a “{config.model_type}” model; this version can look inside {known()} only.")
    decoder = getattr(getattr(config, "text_config", None), "model_type", None)
    if family.decoders and decoder not in family.decoders:
        raise ModelError(
            f"{source} is a {family.name} with a “{decoder}” decoder; this version knows only those with "
            f"{' or '.join(family.decoders)}."
        )
    return family, config
