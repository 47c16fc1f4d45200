"""Where do wirings differ? Fully trained they rely on the picture alike; here they are hindered and measured again.

python benchmarks/conditions.py --keep FOLDER                      # train what FOLDER lacks, measure what is not yet
python benchmarks/conditions.py --keep FOLDER --wirings gated late  # only these; the others' results stay
python benchmarks/conditions.py                                    # print what was measured last

Every result is written as it comes; a run that was cut short, or out of `--minutes`, goes on where it ended.
"""

import argparse
import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F

import vlmlens
from vlmlens.information import decompose
from vlmlens.lab.draw import render_batch
from vlmlens.lab.evaluate import AnswerMany, evaluate
from vlmlens.lab.factory import POOL_SEED
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import ANSWERS, Question
from vlmlens.lab.sample import PRIOR, crossed, take
from vlmlens.lab.scenes import Scene
from vlmlens.lab.text import encode
from vlmlens.lab.train import WIRING, Pool, make_pool, train_wiring, wiring_recipe
from vlmlens.lab.vision import SIDE, WIDTH
from vlmlens.lab.weights import LabName, encoder_state, load_encoders, load_wiring

TARGET = Path(__file__).resolve().parents[1] / "assets" / "information" / "conditions.json"
SHIPPED = "as shipped"
KINDS = ("color", "count", "size", "where", "exist")
SCENES = 32
RESAMPLES = 2000


@dataclass(frozen=True)
class Condition:
    """What differs from the shipped recipe; the same for all wirings."""

    steps: int
    prior: float = PRIOR  # of the training data; all are tested at PRIOR
    side: int = SIDE  # image tokens a side, after average pooling
    width: int = WIDTH  # of fusion and readout


CONDITIONS = {
    "half-trained": Condition(200),
    "few tokens": Condition(600, side=3),
    "small width": Condition(600, width=16),
    "strong prior": Condition(600, prior=0.9),
    "600 steps": Condition(600),  # and nothing else: what the conditions above are to be compared with
}
SEEDS = (0, 1)
MEASURED = ("img2txt", "txt2img", "concat", "bidirectional")  # those of the published ablation, unless others are named


def plan(
    wirings: Sequence[str] = MEASURED, conditions: Sequence[str] = tuple(CONDITIONS), seeds: Sequence[int] = SEEDS
) -> list[tuple[str, str, int]]:
    """Condition, wiring and seed: seed by seed, so that a run cut short has compared all conditions."""
    return [(condition, wiring, seed) for seed in seeds for condition in conditions for wiring in wirings]


def fewer(image: Tensor, side: int) -> Tensor:
    """Patch features [item, SIDE * SIDE, width] averaged to [item, side * side, width]."""
    if side == SIDE:
        return image
    board = image.float().transpose(1, 2).unflatten(2, (SIDE, SIDE))
    return F.adaptive_avg_pool2d(board, side).flatten(2).transpose(1, 2).to(image.dtype)


@cache
def pool(prior: float) -> Pool:
    return make_pool(take("train", POOL_SEED, WIRING.pool, prior=prior), load_encoders()[0])


def trained(name: str, wiring: str, seed: int, keep: Path) -> LabModel:
    """The model as kept, in half precision like those shipped; trained first where it is not there."""
    how = CONDITIONS[name]
    path = keep / f"{wiring}-{seed}-{how.steps}steps-prior{how.prior}-{how.side**2}tokens-width{how.width}.safetensors"
    if not path.exists():
        data = pool(how.prior)
        data = replace(data, image=fewer(data.image, how.side))
        recipe = replace(WIRING, steps=how.steps)
        model = train_wiring(wiring, seed, data, *load_encoders(), recipe, width=how.width)
        state = model.state_dict().items()
        save_file({k: v.half() for k, v in state if k.startswith(("fusion.", "readout."))}, path)
    model = LabModel(wiring, how.width)
    model.load_state_dict(encoder_state() | load_file(path))
    return model.requires_grad_(False).eval()


def answering(model: LabModel, side: int) -> AnswerMany:
    def answer_many(scenes: Sequence[Scene], questions: Sequence[str]) -> list[str]:
        found: list[str] = []
        for start in range(0, len(scenes), 250):
            part = slice(start, start + 250)
            image, words, mask = model.encode(
                torch.from_numpy(render_batch(scenes[part])), encode(list(questions[part]))
            )
            found += [ANSWERS[i] for i in model.fuse(fewer(image, side), words, mask).argmax(-1)]
        return found

    return answer_many


def cross(model: LabModel, side: int, scenes: Sequence[Scene], questions: Sequence[Question]) -> np.ndarray:
    """p(answer | scene, question): [scene, question, answer]."""
    image, words, mask = model.encode(torch.from_numpy(render_batch(scenes)), encode([q.text for q in questions]))
    image = fewer(image, side)
    columns = [
        model.fuse(image, words[[j] * len(scenes)], mask[[j] * len(scenes)]).double().softmax(-1)
        for j in range(len(questions))
    ]
    return torch.stack(columns, dim=1).numpy()


def behaviour(table: np.ndarray) -> dict[str, Any]:
    """How far the answer moves when only the picture, or only the question, is another one.

    table [scene, question, answer]. An effect is the mean Jensen-Shannon divergence, in bits, of two such answers;
    the share is the picture's part of both effects, its interval a 95 % bootstrap over scenes.
    """
    scenes = len(table)
    between = divergences(table).mean(-1)  # [scene, scene], zero on the diagonal
    within = divergences(table.swapaxes(0, 1))  # [question, question, scene]
    within = within.sum((0, 1)) / (len(within) * (len(within) - 1))  # [scene]
    drawn = np.random.default_rng(0).multinomial(scenes, np.full(scenes, 1 / scenes), RESAMPLES)
    weights = np.vstack([np.ones(scenes), drawn])  # first what was seen
    pairs = scenes**2 - (weights**2).sum(1)  # a scene drawn twice is no pair
    image = np.einsum("bi,ij,bj->b", weights, between, weights) / pairs
    question = weights @ within / scenes
    share = image / (image + question)
    return {
        "image_effect": round(float(image[0]), 5),
        "question_effect": round(float(question[0]), 5),
        "image_share": round(float(share[0]), 5),
        "interval": np.quantile(share[1:], [0.025, 0.975]).round(5).tolist(),
    }


def divergences(table: np.ndarray) -> np.ndarray:
    """Jensen-Shannon divergence in bits [i, j, k] of table[i, k] and table[j, k], table [n, k, answer]."""
    own = entropy(table)
    return np.stack([entropy((row + table) / 2) - (entropy(row) + own) / 2 for row in table])


def entropy(p: np.ndarray) -> np.ndarray:
    return -(p * np.log2(np.where(p > 0, p, 1.0))).sum(-1)


def measured(model: LabModel, side: int) -> dict[str, Any]:
    """Everything about one model: held-out accuracy, and by kind of question what moves its answer."""
    scenes, questions, truth = crossed(0, SCENES)
    by_kind = {}
    with torch.inference_mode():
        held_out = evaluate(answering(model, side)).to_dict()
        for kind in KINDS:
            own = [j for j, question in enumerate(questions) if question.kind == kind]
            table = cross(model, side, scenes, [questions[j] for j in own])
            wanted = [[ANSWERS.index(answers[j]) for j in own] for answers in truth]
            pid = decompose(table / (SCENES * len(own))).to_dict()  # X1 is the picture, X2 the question
            by_kind[kind] = {
                "questions": len(own),
                "accuracy": round(float((table.argmax(-1) == wanted).mean()), 5),
                **behaviour(table),
                "pid": {term: round(value, 5) if isinstance(value, float) else value for term, value in pid.items()},
            }
    return {"held_out": held_out, "by_kind": by_kind}


def run(
    keep: Path,
    wirings: Sequence[str],
    conditions: Sequence[str] = tuple(CONDITIONS),
    seeds: Sequence[int] = SEEDS,
    minutes: float = float("inf"),
) -> None:
    """Measure what is not measured yet; no new model is begun after so many minutes."""
    keep.mkdir(parents=True, exist_ok=True)
    end = time.monotonic() + 60 * minutes
    rows: list[dict[str, Any]] = json.loads(TARGET.read_text())["rows"] if TARGET.exists() else []
    done = {(row["condition"], row["wiring"], row["seed"]) for row in rows}

    def add(condition: str, wiring: str, seed: int, steps: int, model: LabModel, side: int = SIDE) -> None:
        rows.append({"condition": condition, "wiring": wiring, "seed": seed, "steps": steps, **measured(model, side)})
        print(line(rows[-1]), flush=True)
        write(rows)

    for wiring in wirings:
        if (SHIPPED, wiring, 0) in done:
            continue
        if LabName(wiring).path.exists():
            add(SHIPPED, wiring, 0, wiring_recipe(wiring).steps, load_wiring(LabName(wiring)))
        else:
            print(f"lab:{wiring} has no weights yet; it is measured as shipped when they are there", flush=True)
    for condition, wiring, seed in plan(wirings, conditions, seeds):
        if (condition, wiring, seed) in done:
            continue
        if time.monotonic() > end:
            print(f"out of {minutes:g} minutes; the same command goes on from here", flush=True)
            return
        how = CONDITIONS[condition]
        add(condition, wiring, seed, how.steps, trained(condition, wiring, seed, keep), how.side)


def in_order(row: dict[str, Any]) -> tuple[int, int, int]:
    """As shipped first; then seed by seed, condition by condition."""
    names = (SHIPPED, *CONDITIONS)
    return (
        -1 if row["condition"] == SHIPPED else row["seed"],
        names.index(row["condition"]),
        list(WIRINGS).index(row["wiring"]),
    )


def write(rows: list[dict[str, Any]]) -> None:
    """Through a file of another name, so that a run that is killed leaves the results before it whole."""
    found = {
        "command": "python benchmarks/conditions.py --keep FOLDER",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
            "numpy": np.__version__,
        },
        "device": "cpu, one thread",
        "scenes": SCENES,
        "conditions": {name: asdict(how) for name, how in CONDITIONS.items()},
        "rows": sorted(rows, key=in_order),
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    partial = TARGET.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n")
    partial.replace(TARGET)


def line(row: dict[str, Any]) -> str:
    held_out = row["held_out"]
    by_kind = (row["by_kind"][kind] for kind in KINDS)
    shares = (f"{own['image_share']:.2f} ({own['image_effect']:.2f}, {own['accuracy']:.2f})" for own in by_kind)
    figures = f"{held_out['accuracy']:.3f}", f"{held_out['accuracy_blind']:.3f}", *shares
    return "| " + " | ".join(map(str, (row["condition"], row["wiring"], row["seed"], row["steps"], *figures))) + " |"


def show() -> None:
    """The results as a Markdown table.

    Accuracy, blind accuracy, and by kind of question the picture's share (its effect in bits, the accuracy on the
    crossed scenes): of two effects near zero the share says nothing.
    """
    found = json.loads(TARGET.read_text())
    print(f"{found['command']}, {found['date']}, torch {found['versions']['torch']}\n")
    print("| " + " | ".join(("condition", "wiring", "seed", "steps", "accuracy", "blind", *KINDS)) + " |")
    print("| --- " * (6 + len(KINDS)) + "|")
    print("\n".join(map(line, found["rows"])))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="where the trained models are kept")
    parser.add_argument("--wirings", nargs="+", choices=list(WIRINGS), default=list(MEASURED))
    parser.add_argument("--conditions", nargs="+", choices=list(CONDITIONS), default=list(CONDITIONS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no new model after so many")
    asked = parser.parse_args()
    if asked.keep is not None:
        torch.set_num_threads(1)
        run(asked.keep, asked.wirings, asked.conditions, asked.seeds, asked.minutes)
    show()


if __name__ == "__main__":
    main()
