"""From a folder or a hub name to a model in memory: its family, its processor, its weights."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForImageTextToText

from vlmlens.errors import ModelError, first_line
from vlmlens.models.families import ROWS, Row, known
from vlmlens.models.fit import choose_dtype
from vlmlens.models.processor import load_processor


@dataclass(frozen=True, eq=False)
class Opened:
    """What was loaded, all of it transformers' own."""

    source: str
    family: Any  # its row
    config: Any
    processor: Any
    model: Any  # on its device
    revision: str
    device: torch.device


def open_model(source: str, device: str = "auto", dtype: str = "auto") -> Opened:
    """A model in memory. Raises ModelError."""
    family, config = find_family(source)
    placed = pick_device(device)
    asked = pick_dtype(dtype)
    kind = model_class(family)
    try:
        precision = choose_dtype(config, placed, asked, kind)
        processor = load_processor(source, family.processor)
        model, loading = kind.from_pretrained(
            source,
            attn_implementation=family.implementation,
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
    revision = str(getattr(config, "_commit_hash", None) or "local")
    return Opened(source, family, config, processor, model, revision, placed)


def model_class(family: Row) -> Any:
    """The class of transformers' that loads a family's models."""
    return getattr(transformers, family.architecture) if family.architecture else AutoModelForImageTextToText


def find_family(source: str) -> tuple[Row, Any]:
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
    family = ROWS.get(config.model_type)
    if family is None:
        raise ModelError(f"{source} is a “{config.model_type}” model; this version can look inside {known()} only.")
    made = (getattr(config, "architectures", None) or [""])[0]
    if family.architecture and made != family.architecture:
        raise ModelError(
            f"{source} is a “{config.model_type}” model, but not one that this version can look inside: its config "
            f"names {made or 'no architecture'}, where {family.architecture} is needed."
        )
    decoder = getattr(getattr(config, "text_config", None), "model_type", None)
    if family.decoders and decoder not in family.decoders:
        raise ModelError(
            f"{source} is a {family.name} with a “{decoder}” decoder; this version knows only those with "
            f"{' or '.join(family.decoders)}."
        )
    return family, config


def pick_device(device: str) -> torch.device:
    if device != "auto":
        try:
            return torch.empty(0, device=device).device
        except (RuntimeError, AssertionError) as error:
            raise ModelError(f"There is no device “{device}” here; use auto, cpu, cuda or mps.") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


def pick_dtype(dtype: str) -> torch.dtype | None:
    """None for "auto", see `choose_dtype`."""
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype not in named and dtype != "auto":
        raise ModelError(f"There is no dtype “{dtype}”; use auto, {', '.join(named)}.")
    return named.get(dtype)
