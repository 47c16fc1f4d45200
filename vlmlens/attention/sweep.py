"""What a masking sweep found: the curve over layers, which of its drops are real, and whether the model looks twice."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Mode = Literal["knockout", "zero"]
FEWEST_ITEMS = 8  # fewer carry no test: 2**8 signs, so no p-value below .004
FLIPS = 2000
LEVEL = 0.05  # of the test, over all layers together
LATE = 2 / 3  # of the layers: a review comes after these


@dataclass(frozen=True, eq=False)
class Sweep:
    """Probability of each item's answer with one layer masked; NaN where the route has no edges in that layer."""

    mode: Mode
    route: str
    window: int
    labels: tuple[str, ...]  # of the layers
    layers: tuple[int, ...]
    answers: tuple[str, ...]  # [item]: the model's own without any mask
    before: np.ndarray  # [item]
    after: np.ndarray  # [item, layer]
    kept: np.ndarray  # bool [item, layer]: whether the answer stayed the same
    noise: float  # the largest relative change of the probability by what must not matter
    readout: int | None = None  # the number of the first layer that is a readout, which is no second look

    @property
    def change(self) -> np.ndarray:
        """Relative change of the mean probability, [layer]; -1 where nothing is left."""
        change: np.ndarray = self.after.mean(axis=0) / self.before.mean() - 1
        return change

    @property
    def drop(self) -> np.ndarray:
        """What reading at each layer brought, as a fraction of the probability: [item, layer].

        In `zero` the step from this layer to the next, since zeroing here hits every later reading too.
        """
        if self.mode == "knockout":
            after = self.after
            base = self.before[:, None]
        else:
            after, base = self.after, np.concatenate([self.after[:, 1:], self.before[:, None]], axis=1)
        drop: np.ndarray = (base - after) / self.before[:, None]
        return drop

    @property
    def p_values(self) -> np.ndarray | None:
        """For each layer, how often random signs make any layer's mean drop as large; None for too few items.

        One-sided sign-flip test with the maximum over layers (Westfall and Young), so that `LEVEL` holds for all layers
        together.
        """
        drop = self.drop
        if len(drop) < FEWEST_ITEMS:
            return None
        present = ~np.isnan(drop).any(axis=0)
        drop = np.where(present, drop, 0.0)
        # Under the null the mean is 0; a spread around the mean would let one steady layer hide all others.
        scale = ((drop**2).mean(axis=0) / len(drop)) ** 0.5
        scale = np.where(scale > 0, scale, 1.0)
        signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(FLIPS, len(drop)))
        most = (signs @ drop / len(drop) / scale).max(axis=1)
        seen = drop.mean(axis=0) / scale
        p: np.ndarray = (1 + (most[:, None] >= seen).sum(axis=0)) / (1 + FLIPS)
        return np.where(present, p, np.nan)

    @property
    def fusion_layers(self) -> tuple[int, ...]:
        """Layers whose reading raises the answer beyond the noise floor and, over a probe set, beyond chance."""
        beyond = np.nan_to_num(self.drop.mean(axis=0)) > self.noise
        p = self.p_values
        if p is not None:
            beyond &= np.nan_to_num(p, nan=1.0) <= LEVEL
        return tuple(layer for layer, is_beyond in zip(self.layers, beyond, strict=True) if is_beyond)

    @property
    def review_layer(self) -> int | None:
        """The last fusion layer, if it lies in the last third and at least one quiet layer parts it from the others."""
        found = self.fusion_layers
        layers = [layer for layer in self.layers if self.readout is None or layer < self.readout]
        found = tuple(layer for layer in found if layer in layers)
        if len(found) < 2 or found[-1] - found[-2] < 2 or found[-1] < LATE * len(layers):
            return None
        return found[-1]

    @property
    def accuracy(self) -> np.ndarray:
        """Share of items whose answer stays what it was, [layer]."""
        share: np.ndarray = self.kept.mean(axis=0)
        return share

    def interval(self) -> tuple[np.ndarray, np.ndarray]:
        """95 % interval of `change` over items: bootstrap, 2000 resamples, fixed seed; NaN for one item."""
        count = len(self.before)
        if count < 2:
            return (np.full(len(self.layers), np.nan),) * 2
        draws = np.random.default_rng(0).integers(count, size=(2000, count))
        means = self.after[draws].mean(axis=1) / self.before[draws].mean(axis=1)[:, None] - 1
        low, high = np.quantile(means, (0.025, 0.975), axis=0)
        return low, high

    def sentence(self) -> str:
        """What was found, with its numbers and its doubt."""
        many = len(self.before) > 1
        over = f"over {len(self.before)} questions" if many else f"for “{self.answers[0]}”"
        names = dict(zip(self.layers, self.labels, strict=True))
        if not self.fusion_layers:
            return f"At no layer does masking lower the answer beyond the noise floor ({over})."
        drop = np.nan_to_num(self.drop.mean(axis=0), nan=-1.0)
        strongest = int(drop.argmax())
        named = ", ".join(names[layer].split(":")[0] for layer in self.fusion_layers)
        review = self.review_layer
        again = f" It reads the picture again at {names[review].split(':')[0]}." if review is not None else ""
        return (
            f"Masking lowers the answer beyond the noise floor at {named} ({over}), most at "
            f"{self.labels[strongest].split(':')[0]}: by {100 * drop[strongest]:.3g} % of its "
            f"probability.{again}"
        )

    def to_dict(self) -> dict[str, Any]:
        low, high = self.interval()
        p = self.p_values
        return {
            "mode": self.mode,
            "route": self.route,
            "window": self.window,
            "items": len(self.before),
            "noise": self.noise,
            "fusion_layers": list(self.fusion_layers),
            "review_layer": self.review_layer,
            "before": float(self.before.mean()),
            "layers": [
                {
                    "layer": label,
                    "change": _number(self.change[i]),
                    "low": _number(low[i]),
                    "high": _number(high[i]),
                    "same_answer": float(self.accuracy[i]),
                    "p": None if p is None else _number(p[i]),
                }
                for i, label in enumerate(self.labels)
            ],
        }

    def to_frame(self) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame(self.to_dict()["layers"])


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)  # JSON has no NaN
