"""Which real models can be reckoned with: published ones as rows of `assets/tokens/models.json`, and any loaded one.

    real = find("llava-1.5-7b")
    real.cost(672, 672, text=64).total

A row has the sizes of the config.json on the hub, under their own names, and the settings of preprocessor_config.json
that decide how a picture is cut. The hub itself was not read: `checked` says against what the row was held, `unsure`
for what of it no source was found.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from vlmlens.errors import NotApplicable, UserError
from vlmlens.tokens.cost import Cost, Sequence, cost
from vlmlens.tokens.count import read_cut
from vlmlens.tokens.cuts import Cut, Seen
from vlmlens.tokens.shapes import Connector, Decoder, Tower, connector_of

TABLE = Path(__file__).resolve().parents[2] / "assets" / "tokens" / "models.json"


@dataclass(frozen=True)
class Real:
    """A real model as the calculator needs it."""

    name: str
    family: str  # key of `vlmlens.models.families.ROWS`
    hub: str  # where its config lies
    cut: Cut
    decoder: Decoder
    tower: Tower | None
    connector: Connector | None
    checked: str = ""  # against which sources a published row was held
    unsure: str = ""  # for what of it none was found

    @property
    def beside(self) -> bool:
        """Whether the picture stands beside the decoder's sequence."""
        return self.decoder.crossed > 0

    def see(self, width: int, height: int) -> Seen:
        """What a picture of this size, in pixels, becomes. Raises UserError where it becomes nothing."""
        try:
            seen = self.cut.see(width, height)
        except ZeroDivisionError:
            seen = None
        if seen is None or seen.tokens < 1:
            raise UserError("With such patches and tiles no image token is left; take smaller patches or larger tiles.")
        return seen

    def sequence(self, seen: Seen, text: int, image: int | None = None) -> Sequence:
        """What the decoder is given; `image` tokens in place of the family's own count."""
        if image is not None or not self.beside:
            return Sequence(seen.tokens if image is None else image, text, self.beside)
        return Sequence(seen.tokens, text, True, seen.patches + seen.views)

    def cost(self, width: int, height: int, text: int, image: int | None = None) -> Cost:
        """Of one pass over a picture of this size and `text` tokens. With `image`, another number of image tokens
        reaches the decoder; what the tower computes stays, and what makes them fewer is not counted.
        """
        seen = self.see(width, height)
        return cost(self.decoder, self.sequence(seen, text, image), seen, self.tower, self.connector)


def of_config(
    name: str,
    family: str,
    images: Mapping[str, Any],
    config: Mapping[str, Any],
    hub: str = "",
    checked: str = "",
    unsure: str = "",
) -> Real:
    """A model from the settings of its image processor and its config, as mappings.

    Raises NotApplicable where a part that the cost needs cannot be read.
    """
    if not isinstance(config.get("text_config"), Mapping):
        raise NotApplicable(f"{name} has no decoder that reads a sequence, so these formulas do not apply.")
    decoder = Decoder.of(config["text_config"])
    tower = Tower.of(config["vision_config"])
    cut = read_cut(family, images, config)
    return Real(name, family, hub, cut, decoder, tower, connector_of(config) if tower else None, checked, unsure)


@cache
def published(path: Path = TABLE) -> dict[str, Real]:
    """Every row of the table, by its short name. Raises UserError for a table that cannot be read."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        return {row.pop("id"): of_config(**row) for row in rows}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path.name} cannot be read, so no published model is known: {error}.") from error


def find(name: str) -> Real:
    """A published model by its short name. Raises UserError with the names that there are."""
    rows = published()
    if name not in rows:
        raise UserError(f"There is no published model “{name}”; there are {', '.join(rows)}.")
    return rows[name]


def of_loaded(vlm: Any) -> Real:
    """A loaded Hugging Face model, as it cuts pictures up now. Raises NotApplicable for any other."""
    family, config = getattr(vlm, "family", None), getattr(getattr(vlm, "model", None), "config", None)
    images = getattr(getattr(vlm, "processor", None), "image_processor", None)
    if family is None or config is None or images is None:
        raise NotApplicable(f"{vlm.name} is not a Hugging Face decoder; its cost is on the Fusion page.")
    key = family.model_type + getattr(family, "variant", "")
    return of_config(vlm.name, key, images.to_dict(), config.to_dict())
