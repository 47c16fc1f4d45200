"""Models by name: the lab's own, and Hugging Face families from a folder or the hub."""

import os
from dataclasses import dataclass

from vlmlens.errors import ModelError, UserError, first_line
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.weights import SEEDS, LabName
from vlmlens.models.base import VLM, ModelInfo, Picture, as_image
from vlmlens.models.detail import Detail
from vlmlens.models.families import family_of
from vlmlens.models.many import Batch, Pooling, Readings
from vlmlens.models.record import Prepared
from vlmlens.progress import Progress

LAB_KINDS = (*WIRINGS, "llava")


@dataclass(frozen=True)
class Listed:
    """A model that can be loaded by name."""

    name: str
    family: str
    sentence: str
    present: bool  # its weights are here
    size: int = 0  # bytes of its weights on disk


def list_models(every_seed: bool = False) -> tuple[Listed, ...]:
    """Lab models, finished runs, planted ones, and what the Hugging Face cache holds whole of families that open."""
    return (*lab_models(every_seed), *run_models(), *planted_models(), *cached_models())


def lab_models(every_seed: bool = False) -> tuple[Listed, ...]:
    """The lab models, each with its first training seed or with all of them."""
    seeds = SEEDS if every_seed else SEEDS[:1]
    sentences = {name: wiring.sentence for name, wiring in WIRINGS.items()}
    sentences["llava"] = "A small native Hugging Face LLaVA: picture tokens and words in a causal decoder."
    return tuple(
        Listed(str(lab), "lab", sentences[kind], lab.path.exists())
        for kind in LAB_KINDS
        for lab in (LabName(kind, seed) for seed in seeds)
    )


def run_models() -> tuple[Listed, ...]:
    """Training runs that are finished, the newest first; read from the disk."""
    from vlmlens.lab.runs import every

    return tuple(
        Listed(run.model, "run", f"Trained here: {WIRINGS[run.plan.wiring].sentence}", True)
        for run in every()
        if run.finished
    )


def planted_models() -> tuple[Listed, ...]:
    """Models whose behaviour is known; they are wired from a lab model when they are loaded."""
    from vlmlens.lab.planted import PLANTED

    present = LabName("concat").path.exists()
    return tuple(Listed(f"planted:{row.name}", "planted", row.sentence, present) for row in PLANTED.values())


def ours(name: str) -> bool:
    """Whether a model is the lab's, planted or trained here: small, always here, never on a hub."""
    return name.startswith(("lab:", "planted:", "run:"))


def _trained(name: str) -> VLM:
    from vlmlens.lab.runs import load_model, open_run
    from vlmlens.lab.training.watch import gates
    from vlmlens.models.lab import LabVLM

    run = open_run(name)
    model = load_model(run)
    shut = model.fusion.wiring.gated and all(pair[0] == 0 for pair in gates(model) if pair is not None)
    ignores = "its gates never opened" if shut else ""
    return LabVLM(run.model, model, "run", f"{run.plan.steps} steps, seed {run.plan.seed}", ignores)


def cached_models() -> tuple[Listed, ...]:
    """What the local Hugging Face cache holds; read from the disk alone, in milliseconds."""
    from vlmlens.models.cache import cached
    from vlmlens.models.download import amount

    found = []
    for model in cached():
        family = family_of(model.config)
        if family is None:
            continue
        told = f"{family.name}, {amount(model.size)} on disk."
        found.append(Listed(model.name, family.name, told, True, model.size))
    return tuple(found)


def load(
    name: str,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    detail: Detail = "full",
    progress: Progress | None = None,
) -> VLM:
    """A model, checked: what it promises is tried on one scene before it is handed out.

    Args:
        name: "lab:concat" (seed 0) or "lab:concat@1"; "planted:blind"; "run:NAME", trained here; a folder; or a hub
            name, "org/name" or "org/name@revision".
            What the local Hugging Face cache holds is taken from there, without asking the network.
        device: "auto" (CUDA, then MPS, then CPU), "cpu", "cuda", ... Lab models stay on the CPU.
        dtype: "auto", "float32", "bfloat16", "float16", or for short "fp32", "bf16", "fp16".
        revision: a branch, a tag or a full commit hash of a hub model.
        detail: "full", as the model was published; "low" spends as few tokens on a picture as the family allows.
        progress: is told how far download and reading are, and can cancel them.

    Raises:
        ModelError: nothing there, no room, an unknown family, or a promise that the model breaks.
        Cancelled: by `progress`; nothing stays in memory, and the download goes on from there the next time.
    """
    name = os.path.expanduser(name.strip())
    if not name:
        raise ModelError("No model was named; try lab:concat.")
    if len(name) > 1000 or not name.isprintable():
        raise ModelError("A model's name is one line of up to 1000 characters; try lab:concat.")
    vlm: VLM
    if ours(name) and revision:
        raise ModelError(f"{name} has no revisions; leave revision={revision} out.")
    if name.startswith("planted:"):
        from vlmlens.models.planted import PlantedVLM

        vlm = PlantedVLM(name)
    elif name.startswith("run:"):
        vlm = _trained(name)
    elif name.startswith("lab:"):
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
        from vlmlens.models.loading import open_model
        from vlmlens.models.pretrained import read

        vlm = read(open_model(name, device, dtype, revision, detail, progress))
    try:
        if progress is not None:
            progress.step(1.0, "asking it once, to see that its inside is shown truthfully")
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
    "cached_models",
    "lab_models",
    "list_models",
    "load",
    "ours",
    "planted_models",
    "run_models",
]
