"""What does one pass over a picture and a text cost: operations by part, pairs of tokens, bytes of cache?

Pure functions of shapes. A multiply-add counts as two operations (FLOP), as torch counts them; norms, softmax,
activations and sums are left out. Attention is counted over every pair of tokens, as torch's own counter does: a kernel
that skips what a causal mask hides does up to half of it.
"""

from dataclasses import dataclass
from typing import Any

from vlmlens.errors import UserError
from vlmlens.tokens.cuts import Seen
from vlmlens.tokens.shapes import Connector, Decoder, Reader, Tower

PARTS = ("vision tower", "connector", "projections", "scores and mixing", "MLP", "head")
BYTES = {"bf16": 2, "fp16": 2, "fp32": 4, "fp8": 1}  # of one number in the cache
MOST_TOKENS = 10_000_000


@dataclass(frozen=True)
class Sequence:
    """What the decoder is given. `beside`: the picture is no part of the sequence, some layers look at it.

    `computed`: keys of the picture that are computed and kept, where more than are looked at.
    """

    image: int
    text: int
    beside: bool = False
    computed: int = 0

    def __post_init__(self) -> None:
        if min(self.image, self.text) < 0 or not 1 <= self.image + self.text <= MOST_TOKENS:
            raise UserError(
                f"{self.image} tokens of a picture and {self.text} of text make no sequence of 1 to {MOST_TOKENS:,}."
            )

    @property
    def length(self) -> int:
        """Tokens in the sequence."""
        return self.text if self.beside else self.image + self.text

    @property
    def keys(self) -> int:
        """Of the picture, beside the sequence."""
        return max(self.computed, self.image) if self.beside else 0

    @property
    def share(self) -> float:
        """The picture's part of all tokens."""
        return self.image / (self.image + self.text)


@dataclass(frozen=True)
class Cost:
    """One pass over a whole prompt."""

    sequence: Sequence
    pairs: int  # of a query and a key, every layer of the decoder, once for all heads
    flops: dict[str, int]  # by part; a part that is not known is missing
    cached: int  # numbers: keys and values of every layer

    @property
    def total(self) -> int:
        """Operations of all parts that are known."""
        return sum(self.flops.values())

    @property
    def decoder(self) -> int:
        """Operations of the decoder alone."""
        return self.total - self.flops.get("vision tower", 0) - self.flops.get("connector", 0)

    def cache(self, dtype: str = "bf16") -> int:
        """Bytes that keys and values take."""
        return self.cached * BYTES[dtype]

    def to_dict(self) -> dict[str, Any]:
        given = self.sequence
        return {
            "image_tokens": given.image,
            "text_tokens": given.text,
            "sequence": given.length,
            "beside": given.beside,
            "image_share": given.share,
            "pairs": self.pairs,
            "flops": self.flops | {"total": self.total},
            "cache_bytes": {dtype: self.cache(dtype) for dtype in BYTES},
        }


def cost(
    decoder: Decoder,
    sequence: Sequence,
    seen: Seen | None = None,
    tower: Tower | None = None,
    connector: Connector | None = None,
    heads: int = 1,
) -> Cost:
    """Of a prompt. `heads`: positions whose next token is computed, one in answering, all of them in training.

    Without `seen` and what sees it the vision tower and the connector are left out.
    """
    flops = decoder_flops(decoder, sequence, heads)
    if seen is not None and tower is not None:
        flops = {"vision tower": tower_flops(tower, seen)} | flops
        if connector is not None:
            flops["connector"] = connector_flops(connector, tower, seen)
    ordered = {part: flops[part] for part in PARTS if part in flops}
    return Cost(sequence, pairs(decoder, sequence), ordered, cached(decoder, sequence))


def decoder_flops(decoder: Decoder, sequence: Sequence, heads: int = 1) -> dict[str, int]:
    """Operations of the decoder's parts.

    A layer of n tokens and width d with a heads of width h, k of them for keys, and an MLP of width m:
    projections 2 n d (2 a h + 2 k h), scores and mixing 4 n^2 a h, MLP 2 n d m times 3 (2 without a gate).
    A layer that looks at v keys beside the sequence projects keys and values of those and has 4 n v a h.
    """
    n, v, d = sequence.length, sequence.keys, decoder.hidden
    asked, kept = decoder.heads * decoder.head, decoder.kv_heads * decoder.head
    own, crossed = decoder.layers - decoder.crossed, decoder.crossed
    maps = 3 if decoder.gated else 2
    return {
        "projections": 2 * d * (own * n * (2 * asked + 2 * kept) + crossed * (2 * n * asked + 2 * v * kept)),
        "scores and mixing": 4 * asked * pairs(decoder, sequence),
        "MLP": 2 * maps * decoder.layers * n * d * decoder.inner,
        "head": 2 * heads * d * decoder.vocabulary,
    }


def pairs(decoder: Decoder, sequence: Sequence) -> int:
    """Query-key pairs of all layers: n^2 a layer, or n times the keys beside the sequence."""
    own = decoder.layers - decoder.crossed
    return own * sequence.length**2 + decoder.crossed * sequence.length * sequence.keys


def cached(decoder: Decoder, sequence: Sequence) -> int:
    """Numbers in the cache: a key and a value a token, layer and head for keys; a window keeps no more than itself."""
    n = sequence.length
    whole = decoder.layers - decoder.crossed - decoder.windowed
    tokens = whole * n + decoder.windowed * min(n, decoder.window - 1) + decoder.crossed * sequence.keys
    return 2 * tokens * decoder.kv_heads * decoder.head


def tower_flops(tower: Tower, seen: Seen) -> int:
    """Operations of the vision tower: patches become tokens, then every layer; windows look at themselves alone."""
    each = seen.grid[0] * seen.grid[1] + tower.extra
    each = -(-each // tower.padded) * tower.padded
    n, d = seen.views * each, tower.hidden
    looked = n**2 if tower.joined else seen.views * each**2
    within = _in_windows(seen, tower.window) if tower.windowed else looked
    maps = 3 if tower.gated else 2
    layer = 8 * n * d**2 + 2 * maps * n * d * tower.inner
    attention = 4 * d * (looked * (tower.layers - tower.windowed) + within * tower.windowed)
    return 2 * seen.patches * tower.values * d + tower.layers * layer + attention


def _in_windows(seen: Seen, side: int) -> int:
    """Pairs of patches that share a window of `side` patches; those at the right and lower edge are smaller."""

    def squares(edge: int) -> int:
        whole, rest = divmod(edge, side)
        return whole * side**2 + rest**2

    return seen.views * squares(seen.grid[0]) * squares(seen.grid[1])


def connector_flops(connector: Connector, tower: Tower, seen: Seen) -> int:
    """Operations between tower and decoder."""
    whole = seen.views * tower.extra
    if connector.reader is not None:
        rows = connector.reader.queries
        return _reader_flops(connector.reader, seen.patches + whole) + sum(2 * rows * a * b for a, b in connector.maps)
    rows = seen.patches // connector.merge**2 + (whole if connector.whole else 0)
    return sum(2 * rows * a * b for a, b in connector.maps)


def _reader_flops(reader: Reader, patches: int) -> int:
    """A Q-Former whose queries alone are read; words that InstructBLIP gives it are left out."""
    q, d = reader.queries, reader.hidden
    own = 8 * q * d**2 + 4 * q**2 * d + 4 * q * d * reader.inner
    crossed = 4 * q * d**2 + 4 * patches * reader.source * d + 4 * q * patches * d
    return reader.layers * own + reader.crossed * crossed
