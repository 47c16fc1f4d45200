"""One lab model with every positional encoding: how well does it know where things are, also on larger boards?

python benchmarks/positions.py --run --keep FOLDER    # train what FOLDER lacks, measure all, write the results
python benchmarks/positions.py                        # print what was measured last

Everything but the positions is the same: the wiring, local eyes that see a cell at a time, data, steps, rate. Learned
places are stretched to a larger board; rotary positions are counted on as they come, and once more with neighbors set
closer, so that the larger board spans what was trained ("fitted").
"""

import argparse
import json
import platform
import time
from collections.abc import Sequence
from copy import deepcopy
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

import vlmlens
from vlmlens.lab.boards import KINDS, Board, BoardItem, board_items, render_board
from vlmlens.lab.fusion.wiring import IMAGE
from vlmlens.lab.model import LabModel, averaged
from vlmlens.lab.positions import BASE, POSITIONS, stretched
from vlmlens.lab.questions import ANSWERS, all_questions
from vlmlens.lab.sample import take
from vlmlens.lab.scenes import BOARD
from vlmlens.lab.text import PAD, encode
from vlmlens.lab.train import Pool, Recipe, make_pool, optimise
from vlmlens.lab.weights import load_encoders, load_eyes, local_state
from vlmlens.trace import Segment, Site
from vlmlens.trace.capture import Recorder, recording

HOME = Path(__file__).resolve().parents[1] / "assets" / "positions"
TARGET = HOME / "accuracy.json"
WIRING = "img2txt"
RECIPE = Recipe(pool=40_000, steps=1800, batch=128, rate=3e-3)
SEEDS = (0, 1, 2)
SIDES = (3, 4, 5)
ITEMS = 500  # of each kind of question and each axis, on each board
PLAN = [(positions, seed) for seed in SEEDS for positions in POSITIONS]


@cache
def pool() -> Pool:
    """Questions of place, every answer equally likely; a token a cell."""
    found = make_pool(take("train", 0, RECIPE.pool, kinds=KINDS, prior=0.0), load_eyes())
    return Pool(averaged(found.image.float(), BOARD), found.question, found.answer)


def fresh(positions: str) -> LabModel:
    model = LabModel(WIRING, positions=positions, local=True, side=BOARD)
    model.vision, model.text = load_eyes(), load_encoders()[1]
    return model


def train(positions: str, seed: int, recipe: Recipe) -> LabModel:
    torch.manual_seed(seed)
    model = fresh(positions)
    ids = encode([question.text for question in all_questions()])
    words, data = model.text(ids), pool()

    def loss_of(index: np.ndarray) -> Tensor:
        which = data.question[index]
        return F.cross_entropy(model.fuse(data.image[index], words[which], ids[which] != PAD), data.answer[index])

    trained = [p for part in (model.fusion, model.readout) for p in part.parameters()]
    optimise(trained, recipe, len(data.answer), seed, loss_of, print, f"{positions} {seed}")
    return model.requires_grad_(False).eval()


def kept(positions: str, seed: int, keep: Path) -> LabModel:
    """The model as kept, in half precision; trained first where it is not there."""
    path = keep / f"{WIRING}-{positions}-{seed}-{RECIPE.steps}steps.safetensors"
    if not path.exists():
        state = train(positions, seed, RECIPE).state_dict().items()
        save_file({k: v.half() for k, v in state if k.startswith(("fusion.", "readout."))}, path)
    model = fresh(positions)
    model.load_state_dict(local_state() | load_file(path))
    return model.requires_grad_(False).eval()


def for_board(model: LabModel, side: int, fitted: bool) -> LabModel:
    """The model for a board of `side` cells a side, a token a cell."""
    model = deepcopy(model)
    if model.fusion.positions.learned:
        model.fusion.enter_image.places = nn.Parameter(
            stretched(model.fusion.enter_image.places, BOARD, side), requires_grad=False
        )
    elif fitted:
        model.fusion.spacing = (BOARD - 1) / (side - 1)
    return model


@cache
def asked(side: int, kind: str) -> Sequence[BoardItem]:
    """Unseen items; on the board of training, from the test split."""
    if side == BOARD:
        items = take("test", 0, 2 * ITEMS, kinds=(kind,), prior=0.0)
        return [BoardItem(Board.of(item.scene), item.question, item.answer) for item in items]
    return board_items(side, kind, 2 * ITEMS)


def answers(model: LabModel, items: Sequence[BoardItem]) -> list[str]:
    pixels = torch.from_numpy(np.stack([render_board(item.scene) for item in items]))
    logits = model(pixels, encode([item.question.text for item in items]))
    return [ANSWERS[index] for index in logits.argmax(-1)]


def measured(model: LabModel) -> list[dict[str, Any]]:
    """Accuracy by board, by kind of question and by the axis that it asks about."""
    rows = []
    ways = [False] if not model.fusion.positions.rotary else [False, True]
    for side in SIDES:
        for fitted in ways if side > BOARD else [False]:
            grown = for_board(model, side, fitted)
            for kind in KINDS:
                items = asked(side, kind)
                right = np.array([a == item.answer for a, item in zip(answers(grown, items), items, strict=True)])
                for axis in ("row", "column"):
                    own = right[[item.question.axis == axis for item in items]]
                    rows.append(
                        {
                            "side": side,
                            "fitted": fitted,
                            "kind": kind,
                            "axis": axis,
                            "n": len(own),
                            "accuracy": round(float(own.mean()), 4),
                        }
                    )
    return rows


def attention(model: LabModel) -> list[list[list[float]]]:
    """What patches look at in the layers where they look at each other, on the board of training.

    [layer][row offset][column offset], offsets from -2 to 2: the mean weight, times the number of patches, of all pairs
    of patches that far apart; 1 is even attention. Mean over heads and 200 questions of each kind.
    """
    items = [item for kind in KINDS for item in asked(BOARD, kind)[:200]]
    patches = range(BOARD * BOARD)
    layers = [
        (number, links[0].attention) for number, links in enumerate(model.fusion.links()) if links[0].look == IMAGE
    ]
    sites = {module: Site(str(number), number, "self", patches, patches) for number, module in layers}
    rows = {site.name: patches for site in sites.values()}
    recorder = Recorder(sites, np.full(len(patches), int(Segment.IMAGE)), rows, contributions=False)
    with recording(recorder):
        answers(model, items)
    row, column = np.divmod(np.arange(len(patches)), BOARD)
    apart = row[None] - row[:, None] + BOARD - 1, column[None] - column[:, None] + BOARD - 1
    found = []
    for name in rows:
        weights = recorder.kept[name].attention.mean(dim=(0, 1)).numpy() * len(patches)
        total, count = np.zeros((2, 2 * BOARD - 1, 2 * BOARD - 1))
        np.add.at(total, apart, weights)
        np.add.at(count, apart, 1)
        found.append((total / count).round(4).tolist())
    return found


def run(keep: Path) -> None:
    keep.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    for positions, seed in PLAN:
        began = time.monotonic()
        model = kept(positions, seed, keep)
        with torch.inference_mode():
            rows.append({"positions": positions, "seed": seed, "found": measured(model), "attention": attention(model)})
        print(line(rows[-1]), f"{time.monotonic() - began:.0f} s", flush=True)
        write(rows)


def write(rows: list[dict[str, Any]]) -> None:
    found = {
        "command": "python benchmarks/positions.py --run --keep FOLDER",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "versions": {
            "vlmlens": vlmlens.__version__,
            "python": platform.python_version(),
            "torch": torch.__version__.partition("+")[0],
        },
        "device": "cpu, one thread",
        "wiring": WIRING,
        "steps": RECIPE.steps,
        "board": BOARD,
        "base": BASE,
        "rows": rows,
    }
    HOME.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(json.dumps(found, indent=1) + "\n")


def line(row: dict[str, Any]) -> str:
    figures = []
    for side, fitted in [(BOARD, False), *((side, fitted) for side in SIDES[1:] for fitted in (False, True))]:
        for kind in KINDS:
            own = [f for f in row["found"] if (f["side"], f["fitted"], f["kind"]) == (side, fitted, kind)]
            figures.append(" / ".join(f"{f['accuracy']:.2f}" for f in own) or "n/a")
    return "| " + " | ".join((row["positions"], str(row["seed"]), *figures)) + " |"


def show() -> None:
    """The results as a Markdown table: accuracy on rows / on columns."""
    found = json.loads(TARGET.read_text())
    print(f"{found['command']}, {found['date']}, torch {found['versions']['torch']}\n")
    boards = [f"{BOARD}x{BOARD}", *(f"{side}x{side}{how}" for side in SIDES[1:] for how in ("", " fitted"))]
    heads = ["positions", "seed", *(f"{board} {kind}" for board in boards for kind in KINDS)]
    print("| " + " | ".join(heads) + " |\n" + "| --- " * len(heads) + "|")
    print("\n".join(map(line, found["rows"])))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--run", action="store_true", help="train and measure; some 20 minutes of one core")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", default=HOME / "kept", help="where the models are kept")
    options = parser.parse_args()
    if options.run:
        torch.set_num_threads(1)
        run(options.keep)
    if TARGET.exists():
        show()
    else:
        print("Nothing was measured yet; run with --run.")


if __name__ == "__main__":
    main()
