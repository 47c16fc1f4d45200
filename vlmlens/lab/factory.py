"""Make every shipped weight file from nothing, and the card beside each.

make_all(report=print)           # what `make train` does
"""

import json
import shutil
import time
from typing import Any

from vlmlens.lab.evaluate import AnswerMany, evaluate, novel_accuracy
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.sample import PRIOR, take
from vlmlens.lab.scenes import HELD_OUT_PAIRS
from vlmlens.lab.train import (
    TEXT,
    VISION,
    WIRING,
    Pool,
    Recipe,
    Report,
    make_pool,
    train_text,
    train_vision,
    train_wiring,
    wiring_recipe,
)
from vlmlens.lab.train_eyes import EYES, train_eyes
from vlmlens.lab.weights import HOME, SEEDS, LabName, load_encoders, save_encoders, save_eyes, save_wiring

POOL_SEED = 0
LEARNT = 0.97  # accuracy from which on a kind of question counts as learnt


def make_all(names: tuple[LabName, ...] = (), report: Report = print) -> None:
    """Train the encoders, then every model (or only `names`, over the encoders that are there)."""
    if not names:
        make_encoders(report)
        names = tuple(LabName(kind, seed) for seed in SEEDS for kind in (*WIRINGS, "llava"))
    vision, text = load_encoders()
    report("drawing the training scenes and encoding them once")
    pool = make_pool(take("train", POOL_SEED, WIRING.pool), vision)
    for name in names:
        make(name, pool, vision, text, report)


def make_encoders(report: Report = print) -> None:
    began = time.monotonic()
    make_eyes(report)
    vision, accuracy = train_vision(report=report)
    text = train_text(report=report)
    save_encoders(vision, text)
    seconds = time.monotonic() - began
    card = {
        "weights": "the vision and text encoders that all lab models share, frozen after this",
        "vision": {"steps": VISION.steps, "pool": VISION.pool, "accuracy_by_patch_least": round(accuracy, 5)},
        "text": {"steps": TEXT.steps},
        "seed": 0,
        "seconds": round(seconds),
    }
    write_card(LabName("encoders"), card)


def make_eyes(report: Report = print) -> None:
    """The eyes of models whose positions are to be the only ones that know where things are."""
    began = time.monotonic()
    eyes, named = train_eyes(report=report)
    save_eyes(eyes)
    card = {
        "weights": "eyes that see every 8-pixel patch alone, without positions; shared by models with other positions "
        "than learned ones, frozen after this",
        "steps": EYES.steps,
        "cells": EYES.pool,
        "cells_named_rightly": named,
        "held_out_pairs": sorted(" ".join(pair) for pair in HELD_OUT_PAIRS),
        "seed": 0,
        "seconds": round(time.monotonic() - began),
        "licence": "Apache-2.0",
    }
    write_card(LabName("local_eyes"), card)


def make(name: LabName, pool: Pool, vision: Any, text: Any, report: Report = print) -> None:
    """Train, save and measure one model."""
    began = time.monotonic()
    curve: list[dict[str, float]] = []
    if name.kind == "llava":
        from vlmlens.lab.llava import RECIPE, make_processor, train_llava

        model = train_llava(name.seed, pool, vision, report=report)
        shutil.rmtree(name.path, ignore_errors=True)
        model.save_pretrained(name.path)
        make_processor().save_pretrained(name.path)
        recipe = RECIPE
    else:
        save_wiring(name, train_wiring(name.kind, name.seed, pool, vision, text, report=report, curve=curve))
        recipe = wiring_recipe(name.kind)
    write_card(name, {**how(name, recipe), "seconds": round(time.monotonic() - began), "curve": curve})
    report(f"{name} trained; measure it with `vlmlens train {name} --card`")


def how(name: LabName, recipe: Recipe) -> dict[str, Any]:
    """The part of a card that says how the weights came to be."""
    return {
        "model": str(name),
        "seed": name.seed,
        "data": {
            "items": recipe.pool,
            "prior": PRIOR,
            "split": "train (by hash of the arrangement; no test scene is among them)",
            "held_out_pairs": sorted(" ".join(pair) for pair in HELD_OUT_PAIRS),
        },
        "steps": recipe.steps,
        "batch": recipe.batch,
        "learning_rate": recipe.rate,
        "licence": "Apache-2.0",
    }


def measure(name: LabName, answer_many: AnswerMany, **more: Any) -> dict[str, Any]:
    """Complete a model's card with its held-out figures, and return it."""
    found = evaluate(answer_many)
    card = json.loads(name.card.read_text()) | {
        "held_out": found.to_dict(),
        "never_seen_pairs": novel_accuracy(answer_many),
        **more,
    }
    if name.kind in WIRINGS and (why := WIRINGS[name.kind].ceiling):
        short = [kind for kind, accuracy in found.by_question.items() if accuracy < LEARNT]
        card["ceiling"] = {"why": why, "falls_short_on": short}
    write_card(name, card)
    return card


def write_card(name: LabName, card: dict[str, Any]) -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    name.card.write_text(json.dumps(card, indent=1, ensure_ascii=False) + "\n")
