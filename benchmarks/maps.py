"""Which maps find what was asked about? Every method on every lab model, marked against the known places.

python benchmarks/maps.py --keep FOLDER    # compute the maps FOLDER lacks, mark all, write the results (about 40 minutes)
python benchmarks/maps.py                  # write docs/maps.md anew from what was measured last
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import vlmlens
from vlmlens.attention import image_maps, masking_sweep, over_image
from vlmlens.attribution import METHODS, Case, Map, explain
from vlmlens.attribution.ground_truth import (
    HOME,
    GroundTruth,
    Refused,
    Row,
    Trial,
    auc,
    lead,
    mark,
    pointing,
    relevant_cells,
)
from vlmlens.errors import NotApplicable, NotWatched
from vlmlens.lab.sample import Item, items
from vlmlens.models import VLM, list_models

TARGET = HOME / "ground_truth.json"
QUESTIONS = 500
TUNING = 100
PROBE = 64  # of the tuning questions: for the masking sweep
PASSES = 180  # of a sampling method: 5 orders of 36 patches, or 180 subsets
SEED = 2  # of the questions; 0 and 1 are those of the cards
SLOW = ("shapley", "kernel shap")  # as long as all others together, so they come last
LONGEST = {"test": QUESTIONS, "validation": TUNING}


def asked(split: str) -> list[Item]:
    """Held-out questions of mixed kinds that speak of something on the board."""
    speaking = (item for item in items(split, SEED) if item.question.relevant(item.scene))
    return list(itertools.islice(speaking, LONGEST[split]))


# Maps, kept as they come


@dataclass(frozen=True)
class Kept:
    """One method's maps of all questions of a split."""

    labels: tuple[str, ...]
    values: np.ndarray  # [question, slice, cell]
    first: np.ndarray  # int [question]: the slice to show
    notes: tuple[str, ...]  # [question]
    milliseconds: float

    @property
    def shown(self) -> np.ndarray:
        shown: np.ndarray = self.values[np.arange(len(self.values)), self.first]
        return shown


def question_rows(case: Case) -> Map:
    """Raw attention of the question's words instead of the answering row."""
    places, values = image_maps(case.trace, "question")
    return Map("question rows", tuple(p.label for p in places), values.mean(axis=2), "of the attention")


def gradients(case: Case) -> Map:
    """What GradCAM is made of, and what becomes of it with one step left out."""
    eyes, seen = case.eyes, list[Tensor]()

    def watch(_module: nn.Module, _inputs: object, output: Tensor) -> None:
        output.retain_grad()
        seen.append(output)

    with case.computing():
        handle = eyes.projector.register_forward_hook(watch)
        try:
            case.of_pixels(eyes.pixels.clone().requires_grad_()).sum().backward()
        finally:
            handle.remove()
    assert seen[0].grad is not None
    active, slope = seen[0].detach()[0].numpy(), seen[0].grad[0].numpy()  # [patch, width]
    pooled, own = active @ slope.mean(axis=0), active * slope
    variants = {
        "as published": pooled.clip(0),
        "without the ReLU": pooled,
        "sign turned": -pooled,
        "each patch by its own gradient, summed": own.sum(axis=1),
        "the same, size only": np.abs(own.sum(axis=1)),
        "size of the patch's gradient alone": np.linalg.norm(slope, axis=1),
    }
    return Map("gradients", tuple(variants), np.stack(list(variants.values()))[:, None], "")


EXTRAS: dict[str, Callable[[Case], Map]] = {"question rows": question_rows, "gradients": gradients}


def folder(keep: Path, model: str) -> Path:
    return keep / model.removeprefix("lab:")


def path(keep: Path, model: str, split: str, method: str) -> Path:
    return folder(keep, model) / f"{split} {method}.npz"


def load(keep: Path, model: str, split: str, method: str) -> Kept | str:
    """Maps, or the reason why there are none."""
    with np.load(path(keep, model, split, method)) as found:
        if "reason" in found:
            return str(found["reason"])
        labels, notes = (tuple(found[name].tolist()) for name in ("labels", "notes"))
        return Kept(labels, found["values"], found["first"], notes, float(found["milliseconds"]))


def compute(keep: Path, cases: Sequence[Case], model: str, split: str, method: str) -> None:
    draw = EXTRAS.get(method) or (lambda case: explain(method, case))
    start = time.perf_counter()
    target = path(keep, model, split, method)
    try:
        found = [draw(case) for case in cases]
    except (NotApplicable, NotWatched) as reason:
        np.savez(target, reason=str(reason))
        return
    spent = 1000 * (time.perf_counter() - start) / len(cases)
    np.savez(
        target,
        labels=np.array(found[0].labels),
        values=np.stack([one.values.mean(axis=1) for one in found]),
        first=np.array([one.first for one in found]),
        notes=np.array([one.note for one in found]),
        milliseconds=spent,
    )
    print(f"{model} {split} {method}: {spent:.0f} ms a map", flush=True)


def cases_of(vlm: VLM, chosen: Sequence[Item], sweep: vlmlens.attention.Sweep) -> list[Case]:
    found = []
    for item in chosen:
        question = item.question.text + "?"
        trace = vlm.inspect(item.scene, question)
        more = {"fusion": sweep.fusion_layers, "review": sweep.review_layer, "passes": PASSES}
        found.append(Case(vlm, item.scene, question, trace, **more))
    return found


def fill(keep: Path, models: Sequence[str]) -> None:
    """Every map that is not there yet; what samples comes last."""
    tuning = asked("validation")
    quick = [method for method in METHODS if method not in SLOW]
    for methods in ([*quick, *EXTRAS], SLOW):
        for model in models:
            jobs = [("test", method) for method in methods]
            jobs += [("validation", method) for method in methods if method not in (*SLOW, "gradients")]
            jobs = [job for job in jobs if not path(keep, model, *job).exists()]
            if not jobs:
                continue
            folder(keep, model).mkdir(parents=True, exist_ok=True)
            vlm = vlmlens.load(model)
            probe = tuning[:PROBE]
            sweep = masking_sweep(vlm, [i.scene for i in probe], [i.question.text + "?" for i in probe], mode="zero")
            (folder(keep, model) / "sweep.json").write_text(json.dumps(sweep.to_dict()))
            for split in dict.fromkeys(split for split, _ in jobs):
                chosen = asked(split)
                cases = cases_of(vlm, chosen, sweep)
                if split == "test":
                    right = [case.answer.text == item.answer for case, item in zip(cases, chosen, strict=True)]
                    relevant = [
                        relevant_cells(item.question, item.scene, case.trace.grid)
                        for case, item in zip(cases, chosen, strict=True)
                    ]
                    np.savez(folder(keep, model) / "truth.npz", right=right, relevant=relevant)
                for method in [method for where, method in jobs if where == split]:
                    compute(keep, cases, model, split, method)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the maps are kept")
    keep = parser.parse_args().keep
    if keep is not None:
        torch.set_num_threads(1)
        models = sorted((m.name for m in list_models()), key=lambda name: name != "lab:llava")
        fill(keep, models)


if __name__ == "__main__":
    main()
