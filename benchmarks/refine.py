"""Does refining by the contrastive map raise lab:llava's accuracy on hard scenes, and more than chance does?

python benchmarks/refine.py --run    # tune on validation scenes, measure on test scenes, write the results
python benchmarks/refine.py          # print what was measured last
"""

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch
from PIL import Image

import vlmlens
from vlmlens.attention import FORMS, contrast, masking_sweep, refine_many, suppress
from vlmlens.attention.refine_many import HOME, Probe
from vlmlens.lab.draw import render
from vlmlens.lab.evaluate import wilson
from vlmlens.lab.sample import Item, items
from vlmlens.lab.scenes import COLORS, HELD_OUT_PAIRS, MOST_THINGS, SHAPES, SIZES, Scene, Thing, split_of
from vlmlens.models import VLM
from vlmlens.perturb import apply

MODEL = "lab:llava"
SWEPT, TUNED, TESTED = 60, 300, 1000  # items
TRIES = 100
NOISE = 0.3  # of which lab:llava answers about three quarters rightly
TARGET = HOME / "refine.json"

# What is tried on the tuning set. Places: lab:llava has three layers; layer 2 (place 1) reads the picture the most.
TRIED: dict[str, list[dict[str, Any]]] = {
    "suppress": [
        {"late": late, "rho": rho, "factor": factor}
        for late, factors in ((1, (0.0, 0.5)), (2, (0.0,)))  # after layer 3 nothing comes that would feel a factor
        for rho in (0.3, 0.6)
        for factor in factors
    ],
    "crop": [{"late": late, "share": share} for late in (1, 2) for share in (0.3, 0.6)],
}


def hard(split: str, seed: int) -> Iterator[Item]:
    """Lab items without prior, on full boards of look-alikes.

    Every scene is filled to the most things that it may hold with things that share the colour or the shape of what is
    asked about, and not both; all are small unless the size is asked for.
    """
    rng = np.random.default_rng([9, seed])
    for item in items(split, seed, prior=0.0):
        if any(pattern.pair == (None, None) for pattern in item.question.about):
            continue  # "how many objects": a full board has one answer
        for _ in range(TRIES):  # a board that was full has no other arrangement to try
            scene = crowded(item, rng)
            if split_of(scene) == split:
                yield replace(item, scene=scene)
                break


def crowded(item: Item, rng: np.random.Generator) -> Scene:
    things = list(item.scene.things)
    asked = [t for t in things if any(p.matches(t) for p in item.question.about)]
    models = [(t.color, t.shape) for t in asked] or [(p.color, p.shape) for p in item.question.about]
    for cell in rng.permutation([cell for cell in range(9) if item.scene.at(cell) is None])[
        : MOST_THINGS - len(things)
    ]:
        while True:
            color, shape = COLORS[rng.integers(len(COLORS))], SHAPES[rng.integers(len(SHAPES))]
            like = models[rng.integers(len(models))]
            if rng.random() < 0.5:
                color = like[0] or color
            else:
                shape = like[1] or shape
            thing = Thing(int(cell), color, shape, SIZES[rng.integers(2)], *(int(d) for d in rng.integers(-1, 2, 2)))
            if thing.pair not in HELD_OUT_PAIRS and not any(p.matches(thing) for p in item.question.about):
                break
        things.append(thing)
    if item.question.kind != "size":
        things = [replace(thing, size="small") for thing in things]
    return Scene(tuple(things), item.scene.noise_seed)


def noisy(scene: Scene) -> Image.Image:
    return apply("noise", render(scene), NOISE, scene.noise_seed).image


SCENES: dict[str, Callable[[Scene], Image.Image]] = {"hard": render, "hard and noisy": noisy}


def probes(found: list[Item], show: Callable[[Scene], Image.Image]) -> list[Probe]:
    return [(show(item.scene), item.question.text, item.answer) for item in found]


def take(split: str, seed: int, count: int) -> list[Item]:
    stream = hard(split, seed)
    return [next(stream) for _ in range(count)]


def tuned(vlm: VLM, fusion: tuple[int, ...]) -> dict[str, Any]:
    """Every setting's accuracy on noisy tuning scenes, and the best of each form."""
    tuning = probes(take("validation", 0, TUNED), noisy)
    found: dict[str, Any] = {}
    for form, every in TRIED.items():
        rows = []
        for settings in every:
            study = refine_many(vlm, tuning, form, fusion=fusion, draws=1, **settings)
            rows.append({"settings": settings, "before": study.before.mean(), "after": study.after.mean()})
            print(f"  {form} {settings}: {study.before.mean():.3f} to {study.after.mean():.3f}", flush=True)
        found[form] = {"tried": rows, "chosen": max(rows, key=lambda row: row["after"])["settings"]}
    return found


def tested(vlm: VLM, form: str, settings: dict[str, Any], fusion: tuple[int, ...], scenes: str) -> dict[str, Any]:
    found = take("test", 0, TESTED)
    study = refine_many(vlm, probes(found, SCENES[scenes]), form, fusion=fusion, **settings)
    kinds = np.array([item.question.kind for item in found])
    right = int(study.before.sum()), int(study.after.sum())
    print(f"  {scenes}, {settings}: {study.sentence()}", flush=True)
    return {
        "scenes": scenes,
        **study.to_dict(),
        "settings": settings,
        "before_interval": wilson(right[0], TESTED),
        "after_interval": wilson(right[1], TESTED),
        "by_kind": {
            str(kind): {
                "items": int((kinds == kind).sum()),
                "before": float(study.before[kinds == kind].mean()),
                "after": float(study.after[kinds == kind].mean()),
                "control": float(study.control[kinds == kind].mean()),
            }
            for kind in np.unique(kinds)
        },
    }


def soft(choice: dict[str, Any]) -> dict[str, Any]:
    """The best tried suppression that leaves something: with a factor of 0 nothing about it is soft."""
    every = [row for row in choice["suppress"]["tried"] if row["settings"]["factor"] > 0]
    return max(every, key=lambda row: row["after"])["settings"]


def unfelt(vlm: VLM, fusion: tuple[int, ...]) -> float:
    """The most that a factor of .5 on all patches entering the last layer moves any probability of an answer."""
    moved = []
    for picture, question, _ in probes(take("validation", 1, 50), noisy):
        trace = vlm.inspect(picture, question)
        found = contrast(trace, fusion=fusion)
        moved.append(suppress(vlm, picture, question, trace, found, rho=1.0, factor=0.5).moved)
    return max(moved)


def run() -> None:
    began = time.monotonic()
    vlm = vlmlens.load(MODEL)
    swept = probes(take("validation", 2, SWEPT), noisy)
    sweep = masking_sweep(vlm, [p for p, _, _ in swept], [q for _, q, _ in swept])
    print(sweep.sentence(), flush=True)
    fusion = sweep.fusion_layers
    choice = tuned(vlm, fusion)
    settings = [("suppress", soft(choice)), *((form, choice[form]["chosen"]) for form in FORMS)]
    rows = [tested(vlm, form, chosen, fusion, scenes) for scenes in SCENES for form, chosen in settings]
    twice = tested(vlm, "crop", choice["crop"]["chosen"] | {"least": 1.0}, fusion, "hard")
    found = {
        "command": "python benchmarks/refine.py --run",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
            "numpy": np.__version__,
        },
        "device": "cpu, one thread",
        "seconds": round(time.monotonic() - began),
        "model": MODEL,
        "scenes": (
            "Full boards of look-alikes that share the colour or the shape of what is asked about, small things; "
            f"“noisy” adds Gaussian noise of strength {NOISE}."
        ),
        "sweep": {"items": SWEPT, "fusion": list(fusion), "review": sweep.review_layer},
        "tuning": {"items": TUNED, **choice},
        "rows": rows,
        "same_picture_twice": twice,
        "unfelt": unfelt(vlm, fusion),
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=1, default=float, ensure_ascii=False) + "\n")


def points(change: dict[str, Any]) -> str:
    low, high = change["interval"]
    return f"{100 * change['mean']:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"


def show() -> None:
    """The results as Markdown; differences in points of accuracy with their 95 % intervals."""
    found = json.loads(TARGET.read_text())
    print(f"{found['command']}, {found['date']}, torch {found['versions']['torch']}, {found['seconds']} s\n")
    head = "scenes", "form", "settings", "before", "after", "change", "right, wrong, p", "at random", "map over random"
    print("| " + " | ".join(head) + " |")
    print("| --- " * len(head) + "|")
    for row in (*found["rows"], found["same_picture_twice"]):
        own = {"layer": row["settings"]["late"] + 1, **row["settings"]}  # lab:llava's places are its layers
        settings = ", ".join(f"{name} {value:g}" for name, value in own.items() if name != "late")
        moved = f"{row['gained']}, {row['lost']}, {row['mcnemar_p']:.2g}"
        cells = row["scenes"], FORMS[row["form"]].name, settings, f"{row['accuracy_before']:.3f}"
        cells += f"{row['accuracy_after']:.3f}", points(row["change"]), moved, points(row["control_change"])
        print("| " + " | ".join((*cells, points(row["over_control"]))) + " |")
    print(f"\nunfelt: {found['unfelt']:.1e}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", action="store_true", help="measure again, about 25 minutes on one busy core")
    if parser.parse_args().run:
        torch.set_num_threads(1)
        run()
    show()


if __name__ == "__main__":
    main()
