"""Where trained compressors lie, and how they are read and written: half precision, a card beside each.

Weights of the first seed are shipped. The accuracies of three are in `assets/tokens/compression.json`; the command
makes the weights of the others again, once their rows are removed there.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vlmlens.errors import ModelError
from vlmlens.lab.compress import COMPRESSORS
from vlmlens.lab.compress.model import BASE, CompressedModel
from vlmlens.lab.compress.train import Trained
from vlmlens.lab.model import LabModel
from vlmlens.lab.weights import HOME as LAB
from vlmlens.lab.weights import SEEDS, encoder_state

HOME = LAB / "compress"
SHIPPED = SEEDS[0]
COMMAND = "python benchmarks/compression.py --train"
PARTS = ("base.fusion.", "base.readout.", "compressor.")


def path_of(name: str, seed: int = 0) -> Path:
    """Raises ModelError for a name that is no compressor's."""
    if name not in COMPRESSORS:
        raise ModelError(f"“{name}” is no compressor; there are {', '.join(COMPRESSORS)}.")
    return HOME / f"{COMPRESSORS[name].slug}-{seed}.safetensors"


def card_of(name: str, seed: int = 0) -> Path:
    return path_of(name, seed).with_suffix(".card.json")


def trained_seeds(name: str) -> tuple[int, ...]:
    """The seeds whose weights are here."""
    return tuple(seed for seed in SEEDS if path_of(name, seed).exists())


def save_compressed(name: str, seed: int, trained: Trained) -> None:
    """Weights and card, each through a file of another name, so that a run that is killed leaves no half of one."""
    path, card = path_of(name, seed), card_of(name, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file({k: v.half() for k, v in trained.model.state_dict().items() if k.startswith(PARTS)}, partial)
    told = {
        "model": f"{name}, seed {seed}",
        "begins_at": f"lab:{BASE}@{seed}",
        "seed": seed,
        "budgets": list(COMPRESSORS[name].budgets),
        "steps": trained.recipe.steps,
        "batch": trained.recipe.batch,
        "learning_rate": trained.recipe.rate,
        "items": trained.recipe.pool,
        "seconds": round(trained.seconds),
        "licence": "Apache-2.0",
        "curve": list(trained.curve),
    }
    card.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    partial.replace(path)


def load_compressed(name: str, seed: int = 0) -> CompressedModel:
    """A trained compressor with the fusion that reads it, ready to answer.

    Raises ModelError where its weights are missing or damaged.
    """
    path = path_of(name, seed)
    if not path.exists():
        raise ModelError(f"{name} with seed {seed} is not trained yet: `{COMMAND}` trains what is missing.")
    return _loaded(name, path)


@cache
def _loaded(name: str, path: Path) -> CompressedModel:
    try:
        state = load_file(path)
        model = CompressedModel(COMPRESSORS[name], LabModel(BASE))
        encoders: dict[str, Any] = {f"base.{key}": value for key, value in encoder_state().items()}
        model.load_state_dict(encoders | state)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise ModelError(f"The weights {path.name} are damaged; remove them and run `{COMMAND}`.") from error
    return model.requires_grad_(False).eval()
