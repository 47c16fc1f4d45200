"""How many image tokens can a model do without, and what is saved? Accuracy and wall time against the share kept.

python benchmarks/prune.py --run                 # what is not measured yet: about 4 minutes on one quiet core
python benchmarks/prune.py --run accuracy        # this part alone, which needs no quiet
python benchmarks/prune.py --run time --anew     # the clock again
python benchmarks/prune.py                       # write docs/pruning.md from what was measured last, and print it

lab:llava on held-out items (test split): every ranking, K and share; chance by several draws. Wall time: full and
pruned passes in turn, ratios of pairs. The large model is untrained: a LLaVA of 16 layers, hidden 512, with a prompt of
2000 tokens, 1764 of them the picture's. Writes assets/tokens/prune.json after every row and docs/pruning.md at the end.
"""

import argparse
import json
import math
import platform
import tempfile
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from capture import build, prepared

import vlmlens
from vlmlens.lab.evaluate import wilson
from vlmlens.lab.sample import Item, take
from vlmlens.models import VLM
from vlmlens.models.huggingface import HuggingFaceVLM
from vlmlens.models.record import Prepared
from vlmlens.tokens.prune import layers_allowed, prune
from vlmlens.tokens.prune_cost import Decoder, counted, formula, timed
from vlmlens.tokens.prune_measured import TARGET, Accuracy, Measured, Time, read
from vlmlens.tokens.pruned import image_tokens
from vlmlens.tokens.rank import RANKERS

DOCS = Path(__file__).resolve().parents[1] / "docs" / "pruning.md"
MODELS = ("lab:llava", "lab:llava@1", "lab:llava@2")
SHARES = (1.0, 0.75, 0.5, 0.25, 0.1)
ITEMS, SEED, DRAWS, PAIRS, RESAMPLES = 300, 11, 5, 31, 2000
LARGE = "untrained LLaVA, 2000 tokens"
LARGE_POINTS = ((0.5, 2), (0.25, 2))
LARGE_PAIRS = 7
PARTS = ("accuracy", "time")
BAR = 0.7  # of the time, at 2000 tokens with half of the image tokens from layer 2


def right(vlm: VLM, items: list[Item]) -> np.ndarray:
    """Which answers are right, bool [item]."""
    given = vlm.answer_many([item.scene for item in items], [f"{item.question.text}?" for item in items])
    return np.array([answer == item.answer for answer, item in zip(given, items, strict=True)])


def over_items(values: np.ndarray) -> tuple[float, float]:
    """95 % of the mean over items [item], by bootstrap."""
    rng = np.random.default_rng(0)
    means = [values[rng.integers(0, len(values), len(values))].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return float(low), float(high)


def accuracies(vlm: VLM, items: list[Item], layer: int, share: float, full: np.ndarray) -> Iterator[Accuracy]:
    """Every ranking at one share after one K, each against chance."""
    nan = (math.nan, math.nan)
    if share == 1:
        found = wilson(int(full.sum()), len(items))
        yield Accuracy(vlm.name, layer, share, "all", len(items), 1, float(full.mean()), found, math.nan, nan)
        return

    def pruned(by: str, seed: int) -> np.ndarray:
        with prune(vlm, share, layer, by, seed):
            return right(vlm, items)

    chance = np.mean([pruned("random", seed) for seed in range(DRAWS)], axis=0)  # [item]
    for name, ranker in RANKERS.items():
        if ranker.chance:
            row = (DRAWS, float(chance.mean()), over_items(chance), math.nan, nan)
        else:
            own = pruned(name, 0)
            above = own - chance
            interval = wilson(int(own.sum()), len(items))
            row = (1, float(own.mean()), interval, float(above.mean()), over_items(above))
        yield Accuracy(vlm.name, layer, share, name, len(items), *row)


def clock(vlm: HuggingFaceVLM, ready: Prepared, name: str, share: float, layer: int, pairs: int) -> Time:
    """One point of the wall time, with the formula's and the count's part beside it."""
    (timing,) = deque(timed(vlm, ready, share, layer, pairs=pairs, seconds=math.inf), maxlen=1)
    image, length = len(image_tokens(vlm, ready)), ready.length - vlm.before
    less, full = counted(vlm, ready, prune(vlm, share, layer)), counted(vlm, ready)
    published = formula(Decoder.of(vlm), length, image, share, layer)
    shape = (name, length, image, len(vlm.layers), layer, share, "attention", pairs)
    return Time(*shape, timing.ratio, timing.interval, published, less / full)


def run(parts: list[str], anew: bool) -> None:
    """Measure what of these parts is not in the file yet, or all of them anew."""
    before = read()
    rows: dict[str, list[Any]] = {
        part: [] if before is None or (anew and part in parts) else list(getattr(before, part)) for part in PARTS
    }
    items = take("test", SEED, ITEMS)

    def add(part: str, *found: Accuracy | Time) -> None:
        """What belongs together is written at once, so that a run that is cut short leaves no half of it."""
        rows[part].extend(found)
        for row in found:
            print(*astuple(row), flush=True)
        write(rows)

    there = {(row.model, row.layer, row.share) for row in rows["accuracy"]}
    clocked = {(row.model, row.layer, row.share) for row in rows["time"]}
    for name in MODELS:
        vlm = vlmlens.load(name)
        assert isinstance(vlm, HuggingFaceVLM)
        points = [(name, layer, share) for layer in layers_allowed(vlm) for share in SHARES]
        if "accuracy" in parts and (missing := [point for point in points if point not in there]):
            full = right(vlm, items)
            for _, layer, share in missing:
                add("accuracy", *accuracies(vlm, items, layer, share, full))
        if "time" in parts and name == MODELS[0]:
            ready = vlm.prepare(vlm.image(items[0].scene), items[0].question.text)
            for _, layer, share in [point for point in points if point not in clocked]:
                add("time", clock(vlm, ready, name, share, layer, PAIRS))
    large = [(share, layer) for share, layer in LARGE_POINTS if (LARGE, layer, share) not in clocked]
    if "time" in parts and large:
        with tempfile.TemporaryDirectory() as folder:
            build(Path(folder), 2000)
            vlm = vlmlens.load(folder, device="cpu")
            assert isinstance(vlm, HuggingFaceVLM)
            ready = prepared(vlm, 2000)
            for share, layer in large:
                add("time", clock(vlm, ready, LARGE, share, layer, LARGE_PAIRS))


def write(rows: dict[str, list[Any]]) -> None:
    def plain(value: Any) -> Any:
        if isinstance(value, tuple):
            return [plain(each) for each in value]
        if isinstance(value, float):
            return None if math.isnan(value) else round(value, 5)
        return value

    found = {
        "command": "python benchmarks/prune.py --run",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
        },
        "items": {"split": "test", "seed": SEED, "n": ITEMS},
    }
    for part, own in rows.items():
        found[part] = [{name: plain(value) for name, value in asdict(row).items()} for row in own]
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    partial = TARGET.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n")
    partial.replace(TARGET)


def told(value: float, interval: tuple[float, float], signed: bool = False) -> str:
    """A number with its interval, or n/a."""
    sign = "+" if signed else ""
    return "n/a" if math.isnan(value) else f"{value:{sign}.3f} [{interval[0]:{sign}.3f}, {interval[1]:{sign}.3f}]"


def table(names: tuple[str, ...], lines: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (names, ("---",) * len(names), *lines))


def page(found: Measured) -> str:
    """docs/pruning.md."""
    about = found.about
    accuracy = table(
        ("model", "K", "kept", "ranked by", "accuracy", "above chance"),
        [
            (
                f"`{row.model}`",
                str(row.layer),
                f"{row.share:g}",
                "nothing leaves" if row.by == "all" else row.by,
                told(row.accuracy, row.interval),
                told(row.above, row.above_interval, signed=True),
            )
            for row in found.accuracy
        ],
    )
    clocks = table(
        ("model", "tokens", "of the picture", "layers", "K", "kept", "time", "counted", "formula"),
        [
            (
                row.model,
                *map(str, (row.tokens, row.image, row.layers, row.layer)),
                f"{row.share:g}",
                told(row.ratio, row.interval),
                f"{row.counted:.3f}",
                f"{row.formula:.3f}",
            )
            for row in found.time
        ],
    )
    return f"""# Training-free pruning, measured

Written by `benchmarks/prune.py` ({about["date"]}, torch {about["versions"]["torch"]}); `{about["command"]}` measures
what is missing. After layer K the image tokens of the lowest rank leave the decoder's sequence (FastV: Chen et al.,
ECCV 2024, arXiv 2403.06764). *attention*: ranked by what the answer's row pays to each at layer K;
*received*: by what each gets from the picture's own tokens, which is blind to the question; *random*: the control.

## Accuracy against the share kept

{about["items"]["n"]} held-out questions (test split, seed {about["items"]["seed"]}) of each training seed of
`lab:llava`, which has 3 layers and 36 image tokens. Intervals are 95 %: Wilson's; of the control, whose {DRAWS}
draws are averaged, and of the difference to it, a bootstrap over questions.

{accuracy}

## Time against the share kept

The pruned pass as a part of the full one: median over pairs of passes that took turns, one prompt at a time, tower and
ranking included, one thread; 95 % by order statistics. *counted*: operations of the decoder's layers, by PyTorch's
counter. *formula*: 4nd² + 2n²d + 2ndm a layer, as published. The large model is untrained (16 layers, hidden 512): its
answers mean nothing, its time does. At its half of the tokens after layer 2 the bar is {BAR:g} of the time.

{clocks if found.time else "Not measured yet: `python benchmarks/prune.py --run time`, on a quiet machine."}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--run", nargs="*", choices=PARTS, help="measure what of these is not measured yet; all of them"
    )
    parser.add_argument("--anew", action="store_true", help="and also what is")
    asked = parser.parse_args()
    if asked.run is not None:
        torch.set_num_threads(1)
        run(asked.run or list(PARTS), asked.anew)
    found = read()
    if found is None:
        print("Nothing was measured yet: python benchmarks/prune.py --run")
        return
    DOCS.write_text(page(found))
    print(page(found))


if __name__ == "__main__":
    main()
