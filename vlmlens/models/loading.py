"""From a name to a model in memory: its files, its family, its processor, its weights."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import safe_open
from transformers import AutoConfig, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from vlmlens.errors import ModelError, UserError, first_line, forget_frames
from vlmlens.models import cache
from vlmlens.models.detail import Detail
from vlmlens.models.device import pick_device, pick_precision
from vlmlens.models.families import ROWS, Row, family_of, parts
from vlmlens.models.fit import GIB, SPREAD, WHOLE, Fit, check_fit, model_class
from vlmlens.models.processor import load_processor
from vlmlens.models.source import Files, check_weights, find
from vlmlens.models.unknown import guess
from vlmlens.progress import Progress

TWO_TOWERS = ("clip", "siglip", "siglip2", "align", "altclip", "chinese_clip", "clipseg", "owlvit", "owlv2", "groupvit")
# transformers announces what it reads to one hook in a process, and a model too many at once fills the memory.
_loading = threading.Lock()


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


def open_model(
    name: str,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    detail: Detail = "full",
    progress: Progress | None = None,
) -> Opened:
    """A model in memory. Where its family can, its attention goes through the function registered as `vlmlens`.

    Raises ModelError, or Cancelled; either way nothing that was half loaded is kept.
    """
    progress = progress or Progress()
    placed = pick_device(device)
    asked = pick_precision(dtype, placed)
    files = find(name, revision, progress)
    family, config = read_family(files)
    check_weights(files)
    sizes = tensor_sizes(files)
    try:
        with _loading:
            processor = load_processor(str(files.folder), family.processor)
            if family.detail is not None:
                family.detail(processor, config, detail)
            where = placement(check_fit(config, processor, family, placed, asked), placed, family)
            with watched_reading(sizes, progress):
                model, loading = model_class(family).from_pretrained(
                    files.folder,
                    config=config,
                    attn_implementation=family.implementation,
                    use_safetensors=True,
                    trust_remote_code=False,
                    output_loading_info=True,
                    **where,
                )
            if "device_map" not in where:
                progress.step(1.0, "" if placed.type == "cpu" else f"moving it to {placed}")
                model = model.to(placed)
    except UserError as error:
        forget_frames(error)
        raise
    except Exception as error:  # on a broken file these libraries raise whatever they stumble over
        forget_frames(error)
        raise ModelError(f"“{name}” could not be loaded: {first_line(error)}") from error
    if absent := sorted(loading["missing_keys"]):  # transformers would make them up
        raise ModelError(f"The weights in “{name}” lack {absent[0]}; download them again.")
    model.requires_grad_(False).eval()
    return Opened(name, family, config, processor, model, files.revision, placed)


def read_family(files: Files) -> tuple[Row, Any]:
    """The family's row and the config, from the config alone. Raises ModelError with what to do."""
    name = files.name
    try:
        config = AutoConfig.from_pretrained(files.folder, trust_remote_code=False)
    except Exception as error:  # see above
        raise ModelError(f"The config.json in {name} cannot be read: {first_line(error)}") from error
    if config.model_type in TWO_TOWERS:
        raise ModelError(
            f"{name} is a “{config.model_type}” model: it compares a picture with a text and answers no question, so "
            "there is no answer to look behind. Take a model that generates text."
        )
    family = family_of(config.to_dict())
    if family is not None:
        return family, config
    rows = [row for row in ROWS.values() if row.model_type == config.model_type]
    alike = [row.name for row in rows]
    if not alike:
        return guess(name, files.folder, config), config
    made = (config.architectures or ["no architecture"])[0]
    if (needed := [row.architecture for row in rows if row.architecture]) and made not in needed:
        raise ModelError(
            f"{name} is a “{config.model_type}” model made for something else: its config names {made}, and this "
            f"version can look inside {' and '.join(needed)} only."
        )
    decoder, tower = parts(config.to_dict())
    raise ModelError(
        f"{name} is a “{config.model_type}” model made of a “{decoder}” decoder and a “{tower}” vision tower; "
        f"this version knows {' and '.join(alike)}, which are made of others."
    )


def placement(fit: Fit, device: torch.device, family: Row) -> dict[str, Any]:
    """What `from_pretrained` is told of precision and place."""
    told: dict[str, Any] = {"dtype": fit.precision.dtype}
    if fit.precision.bits is not None:
        told["device_map"] = {"": device}
        told["quantization_config"] = BitsAndBytesConfig(
            load_in_8bit=fit.precision.bits == 8,
            load_in_4bit=fit.precision.bits == 4,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_compute_dtype=fit.precision.dtype,
            llm_int8_skip_modules=[family.head, *WHOLE],
        )
    if fit.device == SPREAD:
        told["device_map"] = "auto"
    return told


def tensor_sizes(files: Files) -> dict[str, tuple[str, int]]:
    """For every stored tensor its file's name and its bytes. Raises ModelError naming a file that is damaged."""
    found: dict[str, tuple[str, int]] = {}
    for path in cache.shards(files.folder):
        try:
            with safe_open(path, framework="pt") as stored:
                for tensor in stored.keys():  # noqa: SIM118
                    piece = stored.get_slice(tensor)
                    count = torch.Size(piece.get_shape()).numel()
                    found[tensor] = path.name, count * _itemsize(piece.get_dtype())
        except Exception as error:
            mend = f"delete {path.resolve()} and load again with a network" if files.repo else "copy it anew"
            raise ModelError(
                f"The file {path.name} of “{files.name}” is damaged ({first_line(error)}); {mend}."
            ) from error
    return found


def _itemsize(dtype: str) -> int:
    """Bytes of one number of a dtype as safetensors names it: F32, BF16, I8, BOOL."""
    digits = "".join(letter for letter in dtype.partition("_")[0] if letter.isdigit())
    return max(1, int(digits or 8) // 8)


@contextmanager
def watched_reading(sizes: dict[str, tuple[str, int]], progress: Progress) -> Iterator[None]:
    """While transformers reads weights in this thread: say how far it is and in which file, and let it be cancelled."""
    thread = threading.get_ident()
    total = max(1, sum(size for _, size in sizes.values()))

    def read(parameters: Any) -> Iterator[Any]:
        done = 0
        for name, mapping in parameters:
            sources = [sizes[key] for key in mapping.layer_targets.get(name, ()) if key in sizes]
            file = f" {sources[0][0]}" if sources else ""
            progress.step(done / total, f"reading{file}, {done / GIB:.1f} of {total / GIB:.1f} GiB")
            yield name, mapping
            done += sum(size for _, size in sources)

    def hook(factory: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if threading.get_ident() == thread and kwargs.get("desc") == "Loading weights":
            return read(args[0])
        return factory(*args, **kwargs) if before is None else before(factory, args, kwargs)

    before = transformers_logging.set_tqdm_hook(hook)
    try:
        yield
    finally:
        transformers_logging.set_tqdm_hook(before)
