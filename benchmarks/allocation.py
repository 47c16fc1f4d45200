"""Does detail where it is relevant buy accuracy, when the total of tokens is the same?

python benchmarks/allocation.py --train      # three adapters and their card: about two minutes of one core
python benchmarks/allocation.py --measure    # accuracy of every way at four totals; what is there already is kept
python benchmarks/allocation.py              # print what was measured last, and write docs/allocation.md

Held-out scenes, a shipped lab model that was never trained on coarse pictures and stays as it is. The adapters learn
from the training split alone; the sliders stand in the middle and were not tuned.
"""

import argparse
import json
import platform
import textwrap
import time
from dataclasses import asdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

import vlmlens
from vlmlens.lab.draw import render_batch
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import ANSWERS, KINDS
from vlmlens.lab.sample import Item, take
from vlmlens.lab.scenes import BOARD
from vlmlens.lab.text import encode
from vlmlens.lab.vision import PATCHES, SIDE
from vlmlens.lab.weights import LabName, load_wiring
from vlmlens.tokens.adapter import COMMAND as TRAIN
from vlmlens.tokens.adapter import (
    HOME,
    LOW,
    RECIPE,
    TOTALS,
    Adapter,
    budgets,
    load_adapter,
    save_adapter,
    train_adapter,
)
from vlmlens.tokens.detail import MOST, samples, told
from vlmlens.tokens.glance import Glimpse, glimpse
from vlmlens.tokens.measured import (
    COMMAND,
    METHODS,
    OVERALL,
    PAIRS,
    TARGET,
    Accuracy,
    Finding,
    Measured,
    area,
    compare,
    interval,
    read,
    weights_of,
)
from vlmlens.tokens.relevance import NAMES, Tensions, weighed

DOCS = Path(__file__).resolve().parents[1] / "docs" / "allocation.md"
WIRING = "concat"
SEEDS = (0, 1, 2)
DRAWS = 5  # of budgets dealt by chance
ITEMS = 1500
TEST_SEED = 11
BATCH = 500


class Asked(NamedTuple):
    """Items as the model takes them, and what it saw of them at a glance."""

    items: list[Item]
    pixels: Tensor
    words: Tensor
    mask: Tensor
    truth: Tensor
    seen: Glimpse


@cache
def model() -> LabModel:
    return load_wiring(LabName(WIRING))


def ask(split: str, seed: int, count: int) -> Asked:
    items = take(split, seed, count)
    pixels = torch.from_numpy(render_batch([item.scene for item in items]))
    with torch.no_grad():
        words, mask = model().words(encode([item.question.text for item in items]))
        parts = [
            glimpse(model(), pixels[i : i + BATCH], words[i : i + BATCH], mask[i : i + BATCH], LOW)
            for i in range(0, count, BATCH)
        ]
    seen = Glimpse(torch.cat([p.raw for p in parts]), parts[0].looks, torch.cat([p.question for p in parts]))
    return Asked(items, pixels, words, mask, torch.tensor([ANSWERS.index(item.answer) for item in items]), seen)


def train(seeds: tuple[int, ...] = SEEDS, steps: int = RECIPE.steps) -> None:
    began = time.monotonic()
    asked = ask("train", 21, RECIPE.pool)
    recipe = RECIPE if steps == RECIPE.steps else type(RECIPE)(**(asdict(RECIPE) | {"steps": steps}))
    for seed in seeds:
        adapter = train_adapter(
            model(), asked.pixels, asked.words, asked.mask, asked.seen, asked.truth, seed, recipe,
            lambda said: print(said, flush=True),
        )  # fmt: skip
        save_adapter(adapter, seed)
    card = {
        "weights": "a linear layer from a glance and a question to three score weights and two tensions",
        "parameters": sum(p.numel() for p in Adapter().parameters()),
        "through": f"lab:{WIRING}, frozen",
        "data": {"items": RECIPE.pool, "split": "train"},
        "totals": list(TOTALS),
        "steps": steps,
        "batch": RECIPE.batch,
        "learning_rate": RECIPE.rate,
        "seeds": list(seeds),
        "cpu_seconds": round(time.process_time()),
        "seconds": round(time.monotonic() - began),
        "command": TRAIN,
        "licence": "Apache-2.0",
    }
    (HOME / "adapter.card.json").write_text(json.dumps(card, indent=1) + "\n")
    print(f"trained in {time.monotonic() - began:.0f} s", flush=True)


def wanted(items: list[Item]) -> np.ndarray:
    """bool [item, patch]: the patches of the cells that the question is about."""
    along = np.arange(SIDE) * BOARD // SIDE
    cell = (along[:, None] * BOARD + along).ravel()
    return np.stack([np.isin(cell, list(item.question.relevant(item.scene))) for item in items])


def right(asked: Asked, shared: np.ndarray) -> np.ndarray:
    """Which items are answered rightly with these budgets, bool [item]."""
    found = []
    with torch.no_grad():
        for i in range(0, len(asked.items), BATCH):
            part = slice(i, i + BATCH)
            pixels = told(asked.pixels[part], shared[part])
            logits = model().fuse(model().see(pixels), asked.words[part], asked.mask[part])
            found.append((logits.argmax(-1) == asked.truth[part]).numpy())
    return np.concatenate(found)


def dealt(shared: np.ndarray, draw: int) -> np.ndarray:
    """The same budgets on other patches, by chance."""
    return np.random.default_rng([15, draw]).permuted(shared, axis=1)


def ways(asked: Asked, total: int) -> dict[str, list[np.ndarray]]:
    """Budgets [item, patch] by method, one for every run."""
    middle, count = Tensions(), len(asked.items)
    leveled = asked.seen.leveled
    every = [torch.full((count,), value) for value in (middle.diversify, middle.particularize)]
    by_sliders = weighed(leveled, (SIDE, SIDE), torch.tensor(middle.weights).expand(count, -1), *every)
    sliders = budgets(by_sliders, total)
    totals = torch.full((count,), float(total))
    adapters = [budgets(load_adapter(seed)(asked.seen, totals), total) for seed in SEEDS]
    known = wanted(asked.items)
    truth = budgets(torch.from_numpy(known + 1e-6 * ~known.any(1, keepdims=True)), total)
    return {
        "uniform": [np.full((count, PATCHES), total // PATCHES)],
        "random": [dealt(sliders, draw) for draw in range(DRAWS)],
        "sliders": [sliders],
        "adapter": adapters,
        "adapter, shuffled": [dealt(shared, 100 + seed) for seed, shared in enumerate(adapters)],
        "truth": [truth],
    }


def measure(count: int = ITEMS) -> None:
    """Every total that is not measured yet; the answers of a run that was cut short are kept beside the results."""
    began = time.monotonic()
    asked = ask("test", TEST_SEED, count)
    kept = HOME / "allocation.partial.json"
    done: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for total in TOTALS:
        if str(total) in done:
            continue
        rows = {}
        for method, runs in ways(asked, total).items():
            answers = [right(asked, shared) for shared in runs]
            used = float(np.mean([np.multiply(*samples(shared)).sum(1).mean() for shared in runs]))
            rows[method] = {"right": np.array(answers).astype(int).tolist(), "told": used}
            print(f"{total} {method}: {np.mean(answers):.3f} ({time.monotonic() - began:.0f} s)", flush=True)
        done[str(total)] = rows
        kept.parent.mkdir(parents=True, exist_ok=True)
        kept.write_text(json.dumps(done))
    write(asked, done, count)
    kept.unlink()


def write(asked: Asked, done: dict[str, Any], count: int) -> None:
    weights = weights_of(count)
    answers = {
        (int(total), method): np.array(row["right"]) for total, own in done.items() for method, row in own.items()
    }
    accuracies = [
        Accuracy(total, method, float(own.mean()), interval(own.mean(0), weights), tuple(own.mean(1)),
                 done[str(total)][method]["told"])
        for (total, method), own in answers.items()
    ]  # fmt: skip
    differences = []
    for one, other in PAIRS:
        trained = one == "adapter"
        for total in TOTALS:
            differences.append(compare(total, one, other, answers[total, one], answers[total, other], trained))
        means = [np.mean([answers[total, method] for total in TOTALS], axis=0) for method in (one, other)]
        differences.append(compare(OVERALL, one, other, means[0], means[1], trained))
    known = wanted(asked.items)
    some = known.any(1) & ~known.all(1)
    findings = []
    for index, name in enumerate(NAMES):
        raw = asked.seen.raw[:, index].numpy()
        areas = np.array([area(raw[i], known[i]) for i in np.flatnonzero(some)])
        findings.append(Finding(name, float(areas.mean()), interval(areas, weights_of(len(areas), 1))))
    kinds = np.array([item.question.kind for item in asked.items])
    found = {
        "command": COMMAND,
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
        },
        "model": f"lab:{WIRING}",
        "items": count,
        "test_seed": TEST_SEED,
        "low": LOW,
        "high": MOST,
        "draws": DRAWS,
        "adapters": list(SEEDS),
        "by_kind": {
            f"{total}": {
                method: {kind: round(float(own[:, kinds == kind].mean()), 4) for kind in KINDS}
                for (each, method), own in answers.items()
                if each == total
            }
            for total in TOTALS
        },
        "accuracies": [rounded(asdict(each)) for each in accuracies],
        "differences": [rounded(asdict(each)) for each in differences],
        "scores": [rounded(asdict(each)) for each in findings],
    }
    partial = TARGET.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n")
    partial.replace(TARGET)


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list | tuple) else value


def report(found: Measured) -> str:
    """The results as Markdown."""
    about = found.about
    lines = [
        "# Relevance-driven allocation, measured",
        "",
        f"`{about['command']}` on {about['date']}, torch {about['versions']['torch']}: {about['model']}, "
        f"{about['items']} held-out items, {about['low']} to {about['high']} tokens a patch of {PATCHES}. Accuracy "
        "with its 95 % interval (bootstrap over scenes). The model was never trained on coarse pictures.",
        "",
        "| way | " + " | ".join(f"{total} tokens ({total // PATCHES} a patch)" for total in found.totals) + " |",
        "| --- " * (1 + len(found.totals)) + "|",
    ]
    cell = {(each.method, each.total): each for each in found.accuracies}
    for method in METHODS:
        own = [cell[method, total] for total in found.totals]
        said = (f"{each.value:.3f} [{each.interval[0]:.3f}, {each.interval[1]:.3f}]" for each in own)
        lines.append(f"| {method} | " + " | ".join(said) + " |")
    lines += ["", *(f"- *{name}*: {words}." for name, words in METHODS.items())]
    lines += [
        "",
        "Differences on the same items, in points of accuracy: 95 % bootstrap over scenes, for the adapter over its "
        f"{len(about['adapters'])} training seeds too; beside it Student's interval over the seeds. “Cannot say” "
        "unless every interval lies on one side of zero.",
        "",
        "| difference | tokens | points | over seeds | so |",
        "| --- | --- | --- | --- | --- |",
    ]
    for each in found.differences:
        tokens = "all totals" if each.total == OVERALL else str(each.total)
        seeds = (
            "n/a"
            if each.seeds_interval is None
            else "[{:+.1f}, {:+.1f}]".format(*(100 * x for x in each.seeds_interval))
        )
        lines.append(f"| {each.one} - {each.other} | {tokens} | {each} | {seeds} | {each.word} |")
    lines += [
        "",
        "How well each score alone, at the glance, tells the patches of what is asked about from all others (mean area "
        "under the ROC curve; 0.5 is chance, below it the score points away):",
        "",
        "| score | area |",
        "| --- | --- |",
        *(f"| {f.score} | {f.value:.3f} [{f.interval[0]:.3f}, {f.interval[1]:.3f}] |" for f in found.findings),
    ]
    return "\n".join(line if line.startswith("|") else textwrap.fill(line, 120) for line in lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--train", action="store_true", help="train the adapters anew")
    parser.add_argument("--measure", action="store_true", help="measure every way at every total")
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="of training, for a trial")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--items", type=int, default=ITEMS, help="held-out items, fewer for a trial")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    if asked.train:
        train(tuple(asked.seeds), asked.steps)
    if asked.measure:
        measure(asked.items)
    if (found := read()) is None:
        print(f"nothing was measured yet; {COMMAND} does it")
        return
    DOCS.write_text(report(found))
    print(report(found))


if __name__ == "__main__":
    main()
