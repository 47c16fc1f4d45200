"""What is to be trained and how: a plan, checked before any work begins."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import inf
from typing import Any

from vlmlens.errors import UserError
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.positions import POSITIONS
from vlmlens.lab.questions import KINDS
from vlmlens.lab.sample import PRIOR
from vlmlens.lab.vision import HEADS, SIDE, WIDTH

MOST_STEPS, MOST_WIDTH = 20_000, 256


class PlanError(UserError):
    """A plan that cannot be carried out; says which number, and what would work."""


@dataclass(frozen=True)
class Plan:
    """One training run. The same plan on the same machine gives the same weights."""

    wiring: str
    seed: int = 0
    positions: str = "learned"
    prior: float = PRIOR  # of the training questions, 0 to 1
    mix: Mapping[str, float] = field(default_factory=dict)  # how often each kind is drawn; empty: evenly
    width: int = WIDTH  # of fusion and readout, a multiple of the heads
    side: int = SIDE  # image tokens a side, after average pooling
    latents: int | None = None  # of wirings with learned queries; None: as the wiring says
    steps: int = 1400
    batch: int = 256
    pool: int = 60_000  # items drawn once, from which batches are taken
    rate_new: float = 3e-3  # of fusion and readout
    rate_projection: float = 3e-3  # of the entrances, between encoders and fusion
    rate_pretrained: float = 0.0  # of both encoders; 0 keeps them frozen
    warm_up: float = 0.1  # of the steps; after it the rates fall along a cosine
    decay: float = 0.01
    clip: float = 1.0  # of the gradient's norm
    remedies: tuple[tuple[str, float], ...] = ()  # name and strength

    def check(self) -> "Plan":
        """Itself. Raises PlanError in one sentence that names the number and what would work."""
        from vlmlens.lab.pitfalls import REMEDIES

        def refuse(condition: bool, told: str) -> None:
            if condition:
                raise PlanError(told)

        refuse(self.wiring not in WIRINGS, f"There is no wiring {self.wiring!r}; there are {', '.join(WIRINGS)}.")
        refuse(
            self.positions not in POSITIONS,
            f"There are no positions {self.positions!r}; there are {', '.join(POSITIONS)}.",
        )
        for name, low, high in (
            ("seed", 0, 9999),
            ("steps", 1, MOST_STEPS),
            ("batch", 2, 4096),
            ("pool", 2, 500_000),
            ("width", HEADS, MOST_WIDTH),
            ("side", 1, SIDE),
        ):
            value = getattr(self, name)
            whole = type(value) is int
            refuse(
                not whole or not low <= value <= high, f"{name} is a whole number from {low} to {high}, not {value}."
            )
        refuse(
            self.width % HEADS > 0,
            f"width {self.width} cannot be shared among {HEADS} heads; take {max(HEADS, self.width // HEADS * HEADS)}.",
        )
        problem = POSITIONS[self.positions].problem(self.width // HEADS)
        refuse(bool(problem), f"{problem} Take another width, or other positions.")
        refuse(SIDE % self.side > 0, f"{SIDE} patches a side cannot be pooled to {self.side}; take 1, 2, 3 or {SIDE}.")
        if self.latents is not None:
            refuse(not WIRINGS[self.wiring].latents, f"{self.wiring} has no learned queries; leave latents out.")
            refuse(
                type(self.latents) is not int or not 1 <= self.latents <= 64,
                f"latents is a whole number from 1 to 64, not {self.latents}.",
            )
        for name, least, most in (
            ("prior", 0.0, 1.0),
            ("rate_new", 0.0, 1.0),
            ("rate_projection", 0.0, 1.0),
            ("rate_pretrained", 0.0, 1.0),
            ("warm_up", 0.0, 0.9),
            ("decay", 0.0, 1.0),
        ):
            value = getattr(self, name)
            refuse(not least <= value <= most, f"{name} is a number from {least:g} to {most:g}, not {value}.")
        refuse(not 0 < self.clip < inf, f"clip is a number above 0, not {self.clip}.")
        refuse(
            max(self.rate_new, self.rate_projection, self.rate_pretrained) <= 0,
            "With all three rates at 0 nothing would be learnt; set one above 0.",
        )
        unknown = [kind for kind in self.mix if kind not in KINDS]
        refuse(bool(unknown), f"There are no {', '.join(unknown)} questions; there are {', '.join(KINDS)}.")
        refuse(
            bool(self.mix) and not (all(0 <= part < inf for part in self.mix.values()) and max(self.mix.values()) > 0),
            "The mix has a number from 0 up for each kind of question, and one above 0.",
        )
        for name, strength in self.remedies:
            refuse(name not in REMEDIES, f"There is no remedy {name!r}; there are {', '.join(REMEDIES) or 'none yet'}.")
            least, most = REMEDIES[name].low, REMEDIES[name].high
            refuse(not least <= strength <= most, f"{name} takes a number from {least:g} to {most:g}, not {strength}.")
        return self

    def to_dict(self) -> dict[str, Any]:
        return asdict(self) | {"mix": dict(self.mix), "remedies": [list(pair) for pair in self.remedies]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Plan":
        """Raises PlanError for what no plan was written as."""
        known = {each.name for each in fields(cls)}
        if "wiring" not in data or not set(data) <= known:
            raise PlanError("This is not a plan that vlmlens wrote.")
        try:
            remedies = tuple((str(name), float(strength)) for name, strength in data.get("remedies", ()))
            return cls(**{**data, "mix": dict(data.get("mix", {})), "remedies": remedies}).check()
        except (TypeError, ValueError) as error:
            raise PlanError("This is not a plan that vlmlens wrote.") from error
