"""Where the trained lab weights lie, and how they are read and written. Safetensors only.

The encoders are shared and stored once; a wiring's file holds its fusion and readout.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vlmlens.errors import ModelError
from vlmlens.lab.eyes import LocalEyes
from vlmlens.lab.model import LabModel
from vlmlens.lab.text import TextEncoder
from vlmlens.lab.vision import VisionEncoder

HOME = Path(__file__).resolve().parents[2] / "assets" / "lab"
SEEDS = (0, 1, 2)


@dataclass(frozen=True, slots=True)
class LabName:
    """`lab:concat@1` is the wiring `concat` trained with seed 1; `lab:concat` is seed 0."""

    kind: str
    seed: int = 0

    @classmethod
    def parse(cls, name: str) -> "LabName":
        kind, _, seed = name.removeprefix("lab:").partition("@")
        if seed and not (seed.isdecimal() and len(seed) < 5):
            raise ModelError(f"“{name}” is no lab model: after @ comes the training seed, as in lab:{kind}@0.")
        return cls(kind, int(seed or 0))

    def __str__(self) -> str:
        return f"lab:{self.kind}@{self.seed}" if self.seed else f"lab:{self.kind}"

    @property
    def path(self) -> Path:
        return HOME / (f"llava-{self.seed}" if self.kind == "llava" else f"{self.kind}-{self.seed}.safetensors")

    @property
    def card(self) -> Path:
        shared = self.kind in ("encoders", "local_eyes")
        return HOME / (f"{self.kind}.card.json" if shared else f"{self.kind}-{self.seed}.card.json")


def save_encoders(vision: VisionEncoder, text: TextEncoder) -> None:
    HOME.mkdir(parents=True, exist_ok=True)
    state = {f"vision.{k}": v for k, v in vision.state_dict().items()}
    state |= {f"text.{k}": v for k, v in text.state_dict().items()}
    save_file(state, HOME / "encoders.safetensors")


@cache
def encoder_state() -> dict[str, torch.Tensor]:
    return _read(HOME / "encoders.safetensors")


def load_encoders() -> tuple[VisionEncoder, TextEncoder]:
    vision, text = VisionEncoder(), TextEncoder()
    state = encoder_state()
    vision.load_state_dict({k.removeprefix("vision."): v for k, v in state.items() if k.startswith("vision.")})
    text.load_state_dict({k.removeprefix("text."): v for k, v in state.items() if k.startswith("text.")})
    return vision.requires_grad_(False).eval(), text.requires_grad_(False).eval()


def save_eyes(eyes: LocalEyes) -> None:
    """In half precision, as wirings are."""
    HOME.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half() for name, value in eyes.state_dict().items()}, HOME / "local_eyes.safetensors")


@cache
def local_state() -> dict[str, torch.Tensor]:
    """As `encoder_state`, for models with local eyes: these, and the words that all models share."""
    eyes = {f"vision.{name}": value.float() for name, value in _read(HOME / "local_eyes.safetensors").items()}
    return eyes | {name: value for name, value in encoder_state().items() if name.startswith("text.")}


def load_eyes() -> LocalEyes:
    """Eyes that see every patch alone. Raises ModelError where their weights are missing."""
    eyes = LocalEyes()
    state = local_state().items()
    eyes.load_state_dict({name.removeprefix("vision."): value for name, value in state if name.startswith("vision.")})
    return eyes.requires_grad_(False).eval()


def save_wiring(name: LabName, model: LabModel) -> None:
    """In half precision, for half the size; a wiring computes in float32, and its card measures what was saved."""
    state = {k: v.half() for k, v in model.state_dict().items() if k.startswith(("fusion.", "readout."))}
    save_file(state, name.path)


def load_wiring(name: LabName) -> LabModel:
    """A trained wiring, ready to answer. Raises ModelError where its weights are missing."""
    state = _read(name.path)
    model = LabModel(name.kind)
    model.load_state_dict(encoder_state() | state)
    return model.requires_grad_(False).eval()


def _read(path: Path) -> dict[str, torch.Tensor]:
    if not path.exists():
        raise ModelError(f"The weights {path.name} are missing from {HOME.name}; `make train` makes them anew.")
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ModelError(f"The weights {path.name} are damaged; `make train` makes them anew.") from error
