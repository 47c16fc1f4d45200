"""Models by name: the lab's own, and Hugging Face families from a folder or the hub."""

import os
from dataclasses import dataclass

from vlmlens.errors import ModelError, UserError, first_line
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.weights import SEEDS, LabName
from vlmlens.models.base import VLM, ModelInfo, Picture, as_image
from vlmlens.models.many import Batch, Pooling, Readings
from vlmlens.models.record import Prepared

LAB_KINDS = (*WIRINGS, "llava")


@dataclass(frozen=True)
class Listed:
    """A model that can be loaded by name."""

    name: str
    family: str
    sentence: str
    present: bool  # its weights are here


def list_models(every_seed: bool = False) -> tuple[Listed, ...]:
    """The lab models, each with its first training seed or with all of them."""
    seeds = SEEDS if every_seed else SEEDS[:1]
    sentences = {name: wiring.sentence for name, wiring in WIRINGS.items()}
    sentences["llava"] = "A small native Hugging Face LLaVA: picture tokens and words in a causal decoder."
    return tuple(
        Listed(str(lab), "lab", sentences[kind], lab.path.exists())
        for kind in LAB_KINDS
        for lab in (LabName(kind, seed) for seed in seeds)
    )


def load(name: str, device: str = "auto", dtype: str = "auto") -> VLM:
    """A model, checked: what it promises is tried on one scene before it is handed out.

    Args:
        name: "lab:concat" (seed 0) or "lab:concat@1"; a folder; or a hub name.
        device: "auto" (CUDA, then MPS, then CPU), "cpu", "cuda", ... Lab models stay on the CPU.
        dtype: "auto", "float32", "bfloat16" or "float16".

    Raises:
        ModelError: nothing there, an unknown family, or a promise that the model breaks.
    """
    name = os.path.expanduser(name.strip())
    if not name:
        raise ModelError("No model was named; try lab:concat.")
    if len(name) > 1000 or not name.isprintable():
        raise ModelError("A model's name is one line of up to 1000 characters; try lab:concat.")
    vlm: VLM
    if name.startswith("lab:"):
        kind = LabName.parse(name).kind
        if kind not in LAB_KINDS:
            raise ModelError(f"There is no {name}; the lab has {', '.join('lab:' + kind for kind in LAB_KINDS)}.")
        if kind == "llava":
            from vlmlens.models.huggingface import load_lab_llava  # transformers takes seconds to import

            vlm = load_lab_llava(name)
        else:
            from vlmlens.models.lab import LabVLM

            vlm = LabVLM(name)
    else:
        from vlmlens.models.pretrained import load_pretrained

        vlm = load_pretrained(name, device, dtype)
    try:
        vlm.check()
    except UserError:
        raise
    except Exception as error:  # a folder from elsewhere can hold a model that loads and cannot run
        raise ModelError(f"{name} loaded, but cannot be asked: {first_line(error)}") from error
    return vlm


__all__ = [
    "VLM",
    "Batch",
    "Listed",
    "ModelInfo",
    "Picture",
    "Pooling",
    "Prepared",
    "Readings",
    "as_image",
    "list_models",
    "load",
]
