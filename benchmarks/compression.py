"""How few tokens can a picture be told in, by every compressor of the lab, and what does it cost in accuracy?

python benchmarks/compression.py --train                  # what is missing; all, about 47 minutes on two cores
python benchmarks/compression.py --measure                # what is not measured yet, and docs/compression.md anew
python benchmarks/compression.py --train --measure --alone  # all of it, and what one budget alone gains: an hour
python benchmarks/compression.py                          # print what was measured last

Every model and every result is kept as it comes; a run that was cut short, or out of `--minutes`, goes on where it
ended. Two processes of one thread each train side by side.
"""

import argparse
import json
import multiprocessing
import platform
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from scipy import __version__ as scipy_version

import vlmlens
from vlmlens import charts
from vlmlens.lab.compress import BUDGETS, COMPRESSORS, CompressedModel, in_words
from vlmlens.lab.compress.cost import cost
from vlmlens.lab.compress.measured import TARGET, Measured, read
from vlmlens.lab.compress.train import RECIPE, train_compressor
from vlmlens.lab.compress.weights import SHIPPED, load_compressed, path_of, save_compressed, trained_seeds
from vlmlens.lab.factory import POOL_SEED
from vlmlens.lab.questions import KINDS, all_questions
from vlmlens.lab.sample import PRIOR, best_blind_accuracy, take
from vlmlens.lab.text import encode
from vlmlens.lab.train import Pool, make_pool
from vlmlens.lab.weights import SEEDS, load_encoders

TABLE = Path(__file__).resolve().parents[1] / "docs" / "compression.md"
CURVES = TABLE.with_suffix(".svg")
CONTROL = "random pruning"
SHOWN = f"Mean over seeds and 95 % interval; gray: {CONTROL}; dashed: the accuracy that needs no picture."
QUESTIONS = 2000  # held-out
SAMPLE = 0
ALONE = (("query-aware top-k", 4), ("learned queries", 4))  # also trained for this one budget


def training(names: Sequence[str], seeds: Sequence[int]) -> list[tuple[str, int]]:
    """What has no weights yet, nor numbers if it is not shipped; by seed, so that a run cut short has all names."""
    known = {(row["compressor"], row["seed"]) for row in rows_so_far() if row["only"] is None}
    return [
        (name, seed)
        for seed in seeds
        for name in names
        if not path_of(name, seed).exists() and (seed == SHIPPED or (name, seed) not in known)
    ]


def pool_of(split: str, seed: int, count: int) -> Pool:
    return make_pool(take(split, seed, count, prior=PRIOR), load_encoders()[0])


def keep_pool(pool: Pool, path: Path) -> None:
    save_file({"image": pool.image, "question": pool.question, "answer": pool.answer}, path)


def train_one(name: str, seed: int, pool: Path, steps: int | None) -> str:
    """In a process of its own: train and keep one model."""
    torch.set_num_threads(1)
    found = train_compressor(COMPRESSORS[name], seed, Pool(**load_file(pool)), steps, report=lambda told: None)
    save_compressed(name, seed, found)
    return f"{name}, seed {seed}: {found.recipe.steps} steps in {found.seconds:.0f} s, loss {found.curve[-1]['loss']}"


def train_alone(name: str, seed: int, keep: int, pool: Path, test: Path, steps: int | None) -> dict[str, Any]:
    """In a process of its own: train for one budget, and measure; these weights are not kept."""
    torch.set_num_threads(1)
    found = train_compressor(COMPRESSORS[name], seed, Pool(**load_file(pool)), steps, keep, report=lambda told: None)
    return row(name, seed, found.model, Pool(**load_file(test)), (keep,), keep)


def work(jobs: Sequence[tuple[Any, ...]], processes: int, end: float) -> Any:
    """Results of the jobs, [function, arguments], as they come; after `end` no new one is begun."""
    context = multiprocessing.get_context("spawn")
    waiting = list(jobs)
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        under_way = set()
        while waiting or under_way:
            while waiting and len(under_way) < processes and time.monotonic() < end:
                job, *given = waiting.pop(0)
                under_way.add(pool.submit(job, *given))
            if not under_way:
                print(f"out of time with {len(waiting)} to go; the same command goes on from here", flush=True)
                return
            done = next(as_completed(under_way))
            under_way.remove(done)
            yield done.result()


def row(
    name: str, seed: int, model: CompressedModel, test: Pool, budgets: Sequence[int], only: int | None
) -> dict[str, Any]:
    """Accuracy of one model on the held-out questions at each budget, all and by kind."""
    ids = encode([question.text for question in all_questions()])
    kinds = np.array([question.kind for question in all_questions()])[test.question.numpy()]
    found: dict[str, Any] = {"compressor": name, "seed": seed, "only": only, "accuracy": {}, "by_question": {}}
    with torch.inference_mode():
        words, mask = model.base.words(ids)
        for keep in budgets:
            right = []
            for start in range(0, len(test.answer), 250):
                part = slice(start, start + 250)
                text, real = words[test.question[part]], mask[test.question[part]]
                told = model.tell(test.image[part].float(), text, real, keep)
                right.append(model.fuse(told, text, real).argmax(-1) == test.answer[part])
            hit = torch.cat(right).numpy()
            found["accuracy"][str(keep)] = round(float(hit.mean()), 5)
            found["by_question"][str(keep)] = {
                kind: round(float(hit[kinds == kind].mean()), 5) for kind in KINDS if (kinds == kind).any()
            }
    return found


def rows_so_far() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(TARGET.read_text())["rows"] if TARGET.exists() else []
    return rows


def measure(names: Sequence[str], seeds: Sequence[int], test: Pool) -> None:
    """What has weights and no numbers yet."""
    rows = rows_so_far()
    done = {(each["compressor"], each["seed"]) for each in rows if each["only"] is None}
    for name in names:
        for seed in trained_seeds(name):
            if seed in seeds and (name, seed) not in done:
                rows.append(row(name, seed, load_compressed(name, seed), test, COMPRESSORS[name].budgets, None))
                print(f"{name}, seed {seed}: {rows[-1]['accuracy']}", flush=True)
                write(rows, test)


@cache
def costs() -> list[dict[str, Any]]:
    """Of untrained models: a count of shapes."""
    models = {name: CompressedModel(each) for name, each in COMPRESSORS.items()}
    return [
        {"compressor": name, **cost(model, keep).to_dict()}
        for name, model in models.items()
        for keep in COMPRESSORS[name].budgets
    ]


def write(rows: list[dict[str, Any]], test: Pool) -> None:
    """Through a file of another name, so that a run that is killed leaves the results before it whole."""
    order = list(COMPRESSORS)
    asked = Counter(all_questions()[index].kind for index in test.question.tolist())
    found = {
        "command": "python benchmarks/compression.py --train --measure --alone",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
            "numpy": np.__version__,
            "scipy": scipy_version,
        },
        "device": "cpu, one thread a process",
        "n": len(test.answer),
        "sample": SAMPLE,
        "prior": PRIOR,
        "floor": round(best_blind_accuracy(PRIOR, [all_questions()[i] for i in test.question.tolist()]), 5),
        "asked": {kind: asked[kind] for kind in KINDS if asked[kind]},
        "rows": sorted(rows, key=lambda r: (r["only"] or 0, order.index(r["compressor"]), r["seed"])),
        "costs": costs(),
    }
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    partial = TARGET.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n")
    partial.replace(TARGET)


def figure(found: Measured) -> charts.Figure:
    return charts.compression_panels(charts.compressed(found), CONTROL, found.about["floor"])


def table(found: Measured) -> str:
    """The page of docs/ about it."""
    seeds = {name: len(found.of(name)) for name in found.compressors}
    lines = [
        "# How few tokens can a picture be told in?",
        "",
        f"`{found.about['command']}`, {found.about['date']}, torch {found.about['versions']['torch']}, "
        f"{found.about['device']}.",
        "",
        f"Accuracy on {found.n} held-out lab questions (prior {found.about['prior']}), mean over training seeds [95 % "
        "interval: Student's t over seeds, at least Wilson's of so many questions]. Each model begins at the shipped "
        "`lab:concat` of its seed; encoders stay frozen, compressor, fusion and readout learn. **One model serves all "
        "budgets**: each step of training draws one. `none` and `random pruning` are controls.",
        "",
        f"![{figure(found).told}]({CURVES.name})",
        "",
        f"*{SHOWN}*",
        "",
        "| compressor | reads the words | seeds | " + " | ".join(map(in_words, BUDGETS)) + " |",
        "| --- " * (3 + len(BUDGETS)) + "|",
    ]
    for name in found.compressors:
        cells = [str(found.accuracy(name, keep) or "n/a") for keep in BUDGETS]
        aware = "yes" if COMPRESSORS[name].query_aware else "no"
        lines.append(f"| {name} | {aware} | {seeds[name]} | " + " | ".join(cells) + " |")
    lines += ["", "## What a question costs", ""]
    lines += [
        "Multiply-adds of one question of five words: attention (scores and mixing) in the fusion, the whole fusion, "
        "and the compressor itself, which sees all 36 patches whatever the budget.",
        "",
        "| tokens | attention | fusion | " + " | ".join(found.compressors) + " |",
        "| --- " * (3 + len(found.compressors)) + "|",
    ]
    for keep in BUDGETS:
        own = [found.costs.get((name, keep)) for name in found.compressors]
        known = next((each for each in own if each), None)
        if known:
            cells = [f"{each.compressing:,}" if each else "n/a" for each in own]
            lines.append(f"| {keep} | {known.attention:,} | {known.fusing:,} | " + " | ".join(cells) + " |")
    lines += ["", "## Against the control", "", "Accuracy less that of random pruning at as many tokens.", ""]
    shown = [name for name in found.compressors if not COMPRESSORS[name].control]
    fewer = [keep for keep in BUDGETS if keep < BUDGETS[0]]
    lines += ["| compressor | " + " | ".join(map(in_words, fewer)) + " |"]
    lines += ["| --- " * (1 + len(fewer)) + "|"]
    for name in shown:
        gaps = [found.difference(name, CONTROL, keep) for keep in fewer]
        lines.append(f"| {name} | " + " | ".join(f"{gap}, {gap.word}" if gap else "n/a" for gap in gaps) + " |")
    lines += ["", "## One model for all budgets, or one for each?", ""]
    if not found.trained_alone:
        lines.append("Not measured yet: `python benchmarks/compression.py --alone`.")
    for name, keep in found.trained_alone:
        gap, own = found.alone(name, keep), found.accuracy(name, keep, keep)
        if gap and own:
            lines.append(
                f"- {name}, trained as long for {in_words(keep)} alone: {own} ({own.seeds} seeds); against the "
                f"model for all budgets {gap}, {gap.word}."
            )
    lines += ["", "## By kind of question, at 4 tokens", ""]
    kinds = list(found.asked)
    lines += ["| compressor | " + " | ".join(kinds) + " |", "| --- " * (1 + len(kinds)) + "|"]
    for name in found.compressors:
        by = found.by_question(name, 4)
        if by:
            lines.append(f"| {name} | " + " | ".join(f"{by[kind]}" if kind in by else "n/a" for kind in kinds) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--train", action="store_true", help="train what has no weights yet")
    parser.add_argument("--measure", action="store_true", help="measure what is not measured yet")
    parser.add_argument("--alone", action="store_true", help="also train and measure for one budget alone")
    parser.add_argument("--names", nargs="+", choices=list(COMPRESSORS), default=list(COMPRESSORS))
    parser.add_argument("--seeds", nargs="+", type=int, default=list(SEEDS))
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=None, help="by default each compressor's own")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no new model after so many")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    began = time.monotonic()
    end = began + 60 * asked.minutes
    test = pool_of("test", SAMPLE, QUESTIONS) if asked.measure or asked.alone else None
    with tempfile.TemporaryDirectory() as folder:
        data, held_out = Path(folder) / "pool.safetensors", Path(folder) / "test.safetensors"
        missing = training(asked.names, asked.seeds) if asked.train else []
        done = {(each["compressor"], each["seed"], each["only"]) for each in rows_so_far()}
        alone = [(*each, seed) for each in ALONE for seed in asked.seeds if each[0] in asked.names and asked.alone]
        alone = [(name, keep, seed) for name, keep, seed in alone if (name, seed, keep) not in done]
        if missing or alone:
            print("drawing the training scenes and encoding them once", flush=True)
            keep_pool(pool_of("train", POOL_SEED, RECIPE.pool), data)
        for told in work([(train_one, *each, data, asked.steps) for each in missing], asked.processes, end):
            print(f"{told}; {(time.monotonic() - began) / 60:.1f} minutes in all", flush=True)
        if test is not None and asked.measure:
            measure(asked.names, asked.seeds, test)
        if test is not None and alone:
            keep_pool(test, held_out)
            jobs = [(train_alone, name, seed, keep, data, held_out, asked.steps) for name, keep, seed in alone]
            for found in work(jobs, asked.processes, end):
                write([*rows_so_far(), found], test)
                print(f"{found['compressor']}, seed {found['seed']}, alone: {found['accuracy']}", flush=True)
    measured = read()
    if measured is None:
        print("nothing is measured yet: --train --measure")
        return
    told = table(measured)
    if asked.measure or asked.alone:
        TABLE.write_text(told)
        CURVES.write_bytes(charts.export(figure(measured), "svg", f"{SHOWN} {measured.about['command']}"))
    print(told)


if __name__ == "__main__":
    main()
