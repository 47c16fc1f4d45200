"""Do published numbers about compressing image tokens agree with themselves? Each is worked out again here.

The worked example compares 576 image tokens with 64 beside 512 of text in a decoder of 32 layers, by pairs of tokens.
"""

from dataclasses import dataclass
from typing import Any

from vlmlens.tokens.cost import Cost, Sequence, cost, pairs
from vlmlens.tokens.models import find

MODEL = "llava-1.5-7b"  # a decoder of so many layers, whose picture is the larger number of tokens
LAYERS, TEXT, DIRECT, COMPRESSED = 32, 512, 576, 64
ROUND = 0.05  # a ratio told as a whole number may be off by this part of it


@dataclass(frozen=True)
class Example:
    """The worked example, step by step, and what it leaves out."""

    layers: int
    text: int
    images: tuple[int, int]  # tokens: direct, compressed
    costs: tuple[Cost, Cost]  # of MODEL's decoder

    @property
    def pairs(self) -> tuple[int, int]:
        """Of all layers."""
        direct, compressed = ((image + self.text) ** 2 * self.layers for image in self.images)
        return direct, compressed

    @property
    def pair_ratio(self) -> float:
        return self.pairs[0] / self.pairs[1]

    @property
    def token_ratio(self) -> float:
        return self.images[0] / self.images[1]

    @property
    def cost_ratio(self) -> float:
        """Of all operations of the decoder."""
        return self.costs[0].decoder / self.costs[1].decoder

    @property
    def attention_share(self) -> float:
        """Of the longer sequence's operations, those that pairs of tokens decide."""
        return self.costs[0].flops["scores and mixing"] / self.costs[0].decoder

    def steps(self) -> list[str]:
        """The arithmetic, a line a step."""
        lines = []
        for image, total in zip(self.images, self.pairs, strict=True):
            n = image + self.text
            lines.append(
                f"{image} + {self.text} = {n:,} tokens; {n:,} x {n:,} = {n**2:,} pairs a layer; "
                f"x {self.layers} layers = {total:,}"
            )
        direct, compressed = self.pairs
        lines.append(
            f"{direct:,} / {compressed:,} = {self.pair_ratio:.2f} times fewer pairs "
            f"({1 - compressed / direct:.1%} saved), from {self.token_ratio:.0f} times fewer image tokens"
        )
        return lines

    def to_dict(self) -> dict[str, Any]:
        return {
            "model": MODEL,
            "layers": self.layers,
            "text": self.text,
            "images": list(self.images),
            "pairs": list(self.pairs),
            "pair_ratio": self.pair_ratio,
            "cost_ratio": self.cost_ratio,
            "steps": self.steps(),
        }


def example() -> Example:
    """Pairs as the survey counts them, and the whole decoder's operations beside them."""
    decoder = find(MODEL).decoder
    given = [Sequence(image, TEXT) for image in (DIRECT, COMPRESSED)]
    found = Example(LAYERS, TEXT, (DIRECT, COMPRESSED), (cost(decoder, given[0]), cost(decoder, given[1])))
    assert decoder.layers == LAYERS
    assert found.pairs == tuple(pairs(decoder, each) for each in given)
    return found


@dataclass(frozen=True)
class Compression:
    """One row of the published table."""

    how: str
    before: int  # tokens
    after: int
    told: float  # the ratio as it is told: so many to one
    note: str
    at_least: bool = False  # "before" is told as "so many or more"

    @property
    def ratio(self) -> float:
        """Tokens before over tokens after."""
        return self.before / self.after

    @property
    def verdict(self) -> str:
        """ "agrees", "disagrees", or "cannot say" where a number is open."""
        if self.at_least:
            return "cannot say"
        return "agrees" if abs(self.ratio / self.told - 1) <= ROUND else "disagrees"


TABLE = (
    Compression("direct projection (LLaVA-1.5)", 576, 576, 1, "Every patch is a token: 24 x 24."),
    Compression(
        "Q-Former (BLIP-2)",
        257,
        32,
        8,
        "The 257th is the token of the whole; of patches alone it is 256 / 32 = 8 exactly. In numbers rather than "
        "tokens it is 257 x 1024 / (32 x 768) = 10.7 (its paper's ViT-L), since a query is narrower than a patch.",
    ),
    Compression(
        "Perceiver resampler (Flamingo)",
        256,
        64,
        4,
        "Told as 256 or more, so the ratio is 4 or more; it grows with the picture, since there are always 64 latents.",
        at_least=True,
    ),
    Compression("merging 4 x 4 patches", 2304, 144, 16, "48 x 48 patches become 12 x 12 tokens: 4 a side."),
    Compression(
        "pixel shuffle (SmolVLM 2.2B)",
        729,
        81,
        9,
        "27 x 27 patches become 9 x 9 tokens, of every tile: a picture is cut into several, see the next table.",
    ),
)


@dataclass(frozen=True)
class Quotation:
    """A number that is told of a model, beside what its own rule makes."""

    what: str
    told: int
    model: str
    size: tuple[int, int]  # of the picture, pixels
    why: str

    @property
    def found(self) -> int:
        """By the family's rule."""
        return find(self.model).see(*self.size).tokens

    @property
    def verdict(self) -> str:
        return "agrees" if self.found == self.told else "disagrees"


QUOTATIONS = (
    Quotation("LLaVA-1.5: image tokens of any picture", 576, MODEL, (1024, 768), "24 x 24 patches of the centre crop."),
    Quotation(
        "LLaVA-NeXT: image tokens of 672 x 672 px",
        2880,
        "llava-next-7b",
        (672, 672),
        "2880 is 5 x 576; a sign at the end of each of the 48 rows of tiles is left out.",
    ),
    Quotation(
        "SmolVLM 2.2B: image tokens of a picture of 1024 x 768 px",
        81,
        "smolvlm-2.2b",
        (1024, 768),
        "81 is of one tile; a picture is stretched to 4 x 3 tiles and the whole is one more. That is more than "
        "LLaVA-1.5 uses with no compression at all.",
    ),
    Quotation("Gemma 3: image tokens of any picture", 256, "gemma3-4b", (1024, 768), "4096 patches, averaged 4 x 4."),
    Quotation(
        "Qwen2-VL: image tokens of 224 x 224 px",
        66,
        "qwen2-vl-2b",
        (224, 224),
        "8 x 8 merged patches; the two signs around the picture are counted in the paper and not here.",
    ),
)
