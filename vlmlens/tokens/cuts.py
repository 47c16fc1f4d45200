"""Into how many tokens is a picture of a given size cut?

One class a way of cutting, in closed form: no picture is resized. Sizes are in pixels, width first.

    Natural(patch=14, merge=2, least=3136, most=12845056).see(1024, 768).tokens
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from vlmlens.errors import UserError

MOST_PIXELS = 20_000  # of an edge
LONGEST_EDGE = 4096  # Idefics 3 makes no picture larger than this
MOST_ASPECT = 200  # Qwen's processors refuse a picture that is longer


@dataclass(frozen=True)
class Seen:
    """What a picture becomes.

    `tokens` are the decoder's, or beside its sequence the keys that it may look at. The signs that some processors
    write around a picture and between its tiles are text and not counted.
    """

    tokens: int
    views: int  # pictures that the vision tower is given
    grid: tuple[int, int]  # patches of each, rows and columns
    how: str  # the arithmetic, in words

    @property
    def patches(self) -> int:
        """Of all views."""
        return self.views * self.grid[0] * self.grid[1]


class Cut(Protocol):
    """A way of cutting pictures up."""

    def see(self, width: int, height: int) -> Seen: ...


def check_size(width: int, height: int) -> None:
    """Raises UserError for a size that no picture has."""
    if not (1 <= width <= MOST_PIXELS and 1 <= height <= MOST_PIXELS):
        raise UserError(f"A picture is 1 to {MOST_PIXELS:,} pixels wide and high; {width} x {height} is not.")


@dataclass(frozen=True)
class Square:
    """Squeezed to a square or cropped to one: every picture becomes the same number of tokens."""

    side: int  # pixels
    patch: int
    merge: int = 1  # so many patches a side become one token
    extra: int = 0  # tokens of the whole picture

    def see(self, width: int, height: int) -> Seen:
        check_size(width, height)
        patches = self.side // self.patch
        side = patches // self.merge
        merged = f", {self.merge} x {self.merge} of them one token" if self.merge > 1 else ""
        extra = f" + {self.extra} for the whole" if self.extra else ""
        how = f"{self.side} px / {self.patch} px = {patches} patches a side{merged}: {side} x {side}{extra}"
        return Seen(side**2 + self.extra, 1, (patches, patches), how)


@dataclass(frozen=True)
class Queried:
    """Learned queries read a square: as many tokens as there are queries."""

    queries: int
    side: int
    patch: int

    def see(self, width: int, height: int) -> Seen:
        check_size(width, height)
        patches = self.side // self.patch
        how = f"{self.queries} learned queries read {patches} x {patches} patches and the token of the whole"
        return Seen(self.queries, 1, (patches, patches), how)


@dataclass(frozen=True)
class AnyRes:
    """LLaVA-NeXT and OneVision: the whole picture squeezed to a tile, and tiles of it without the padding around it.

    Liu et al., 2024 (LLaVA-NeXT); Li et al., arXiv 2408.03326 (OneVision, which bounds the tiles' tokens by `most`).
    """

    tile: int  # pixels
    patch: int
    layouts: tuple[tuple[int, int], ...]  # height and width in pixels, in the processor's order
    most: int = 0  # tiles' worth of tokens; 0 for no bound

    def see(self, width: int, height: int) -> Seen:
        check_size(width, height)
        side = self.tile // self.patch
        tall, wide = _roomiest(width, height, self.layouts)
        rows, columns = tall // self.tile, wide // self.tile
        high, broad = side * rows, side * columns
        if width / height > broad / high:
            high -= (high - int(round(height * (broad / width), 7))) // 2 * 2
        else:
            broad -= (broad - int(round(width * (high / height), 7))) // 2 * 2
        shrunk = math.sqrt(high * broad / (self.most * side**2)) if self.most else 0.0
        if shrunk > 1.1:
            high, broad = int(high // shrunk), int(broad // shrunk)
        how = (
            f"the whole as {side} x {side} = {side**2}, and {columns} x {rows} tiles of {self.tile} px: unpadded "
            f"{high} rows of {broad} tokens, each with a sign at its end"
        )
        return Seen(side**2 + high * (broad + 1), 1 + rows * columns, (side, side), how)


def _roomiest(width: int, height: int, layouts: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """The layout, height and width, that keeps most of the picture's pixels; of equal ones the least wasteful."""

    def worth(layout: tuple[int, int]) -> tuple[int, int]:
        tall, wide = layout
        scale = min(wide / width, tall / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        return kept, kept - tall * wide

    return max(layouts, key=worth)


@dataclass(frozen=True)
class Tiled:
    """InternVL: as many square tiles as come nearest to the picture's shape, and the whole as one more.

    Chen et al., arXiv 2404.16821.
    """

    tile: int  # pixels
    patch: int
    merge: int
    least: int = 1  # tiles
    most: int = 12

    def see(self, width: int, height: int) -> Seen:
        check_size(width, height)
        columns, rows = self._nearest(width, height)
        tiles = columns * rows
        views = tiles + (tiles > 1)
        patches = self.tile // self.patch
        each = (patches // self.merge) ** 2
        whole = " and the whole" if tiles > 1 else ""
        how = f"{columns} x {rows} tiles of {self.tile} px{whole}: {views} x {each} tokens"
        return Seen(views * each, views, (patches, patches), how)

    def _nearest(self, width: int, height: int) -> tuple[int, int]:
        """Columns and rows. Among equally near ones the most tiles that are at most twice the picture's area."""
        best, found = math.inf, (1, 1)
        for columns, rows in sorted(self._layouts(), key=math.prod):
            off = abs(width / height - columns / rows)
            if off < best or (off == best and 2 * width * height > self.tile**2 * columns * rows):
                best, found = off, (columns, rows)
        return found

    def _layouts(self) -> Iterator[tuple[int, int]]:
        for columns in range(1, self.most + 1):
            for rows in range(1, self.most + 1):
                if self.least <= columns * rows <= self.most:
                    yield columns, rows


@dataclass(frozen=True)
class Split:
    """Idefics 3 and SmolVLM: scaled to a longest edge, stretched to whole tiles, and the whole as one more.

    Laurençon et al., arXiv 2408.12637.
    """

    longest: int  # pixels
    tile: int
    patch: int
    merge: int
    split: bool = True  # else the whole alone

    def see(self, width: int, height: int) -> Seen:
        check_size(width, height)
        columns, rows = self._tiles(width, height) if self.split else (0, 0)
        views = columns * rows + 1
        patches = self.tile // self.patch
        each = (patches // self.merge) ** 2
        tiles = f"{columns} x {rows} tiles of {self.tile} px and the whole" if views > 1 else "the whole"
        return Seen(views * each, views, (patches, patches), f"{tiles}: {views} x {each} tokens")

    def _tiles(self, width: int, height: int) -> tuple[int, int]:
        """Columns and rows; none for a picture that is one tile."""
        short, long = sorted((width, height))
        aspect = long / short if width >= height else width / height
        other = int(self.longest / aspect) if width >= height else int(self.longest * aspect)
        edge, other = self.longest, max(1, other + other % 2)
        if edge > LONGEST_EDGE:
            ratio = edge / other if width >= height else other / edge
            edge, other = LONGEST_EDGE, int(LONGEST_EDGE / ratio if width >= height else LONGEST_EDGE * ratio)
            other = max(1, other)
        ratio = edge / other if width >= height else other / edge
        many = math.ceil(edge / self.tile)
        stretched = int(many * self.tile / ratio) if width >= height else int(many * self.tile * ratio)
        few = max(1, math.ceil(stretched / self.tile))
        if many == few == 1:
            return 0, 0
        return (many, few) if width >= height else (few, many)


@dataclass(frozen=True)
class Natural:
    """Qwen-VL and GLM: the picture's own shape, in whole tokens, between two numbers of pixels.

    Wang et al., arXiv 2409.12191, section 2.1.
    """

    patch: int  # pixels
    merge: int  # so many patches a side become one token
    least: int  # pixels, of every frame
    most: int
    frames: int = 1  # that the bounds count a picture as
    enlarged: bool = False  # whether an edge shorter than a token is scaled up first

    def see(self, width: int, height: int) -> Seen:
        check_size(width, height)
        unit = self.patch * self.merge
        wide, high = width, height
        if self.enlarged and min(width, height) < unit:
            scale = max(unit / height, unit / width)
            wide, high = int(width * scale), int(height * scale)
        if max(wide, high) / min(wide, high) > MOST_ASPECT:
            raise UserError(f"This family refuses a picture more than {MOST_ASPECT} times as long as it is broad.")
        columns, rows = round(wide / unit), round(high / unit)
        area = self.frames * rows * columns * unit**2
        if area > self.most:
            shrink = math.sqrt(self.frames * wide * high / self.most)
            columns, rows = (max(1, math.floor(edge / shrink / unit)) for edge in (wide, high))
        elif area < self.least:
            grow = math.sqrt(self.least / (self.frames * wide * high))
            columns, rows = (math.ceil(edge * grow / unit) for edge in (wide, high))
        how = (
            f"scaled to {columns * unit} x {rows * unit} px, a token every {self.merge} x {self.patch} = {unit} px: "
            f"{columns} x {rows}"
        )
        return Seen(rows * columns, 1, (rows * self.merge, columns * self.merge), how)


@dataclass(frozen=True)
class Canvas:
    """Llama 3.2 Vision: the smallest canvas of tiles that holds the picture; it always computes the most tiles.

    Grattafiori et al., arXiv 2407.21783, section 7.
    """

    tile: int  # pixels
    patch: int
    most: int  # tiles

    def see(self, width: int, height: int) -> Seen:
        check_size(width, height)
        columns, rows = self._canvas(width, height)
        patches = self.tile // self.patch
        each = patches**2 + 1
        how = (
            f"{columns} x {rows} tiles of {self.tile} px, {each} keys each, beside the sequence; the model computes "
            f"{self.most} tiles whatever the picture, the rest hidden"
        )
        return Seen(columns * rows * each, self.most, (patches, patches), how)

    def _canvas(self, width: int, height: int) -> tuple[int, int]:
        """Columns and rows: of the canvases the picture fits into the least enlarging, else the least shrinking."""
        layouts = [
            (columns, rows)
            for rows in range(1, self.most + 1)
            for columns in range(1, self.most + 1)
            if columns * rows <= self.most
        ]

        def scale(layout: tuple[int, int]) -> float:
            return min(layout[0] * self.tile / width, layout[1] * self.tile / height)

        scales = [scale(layout) for layout in layouts]
        larger = [found for found in scales if found >= 1]
        wanted = min(larger) if larger else max(scales)
        return min((each for each, found in zip(layouts, scales, strict=True) if found == wanted), key=math.prod)


@dataclass(frozen=True)
class Shortest:
    """ViLT: scaled to a shortest edge, a longest one bounded, and cut to whole patches."""

    shortest: int  # pixels
    patch: int
    divisor: int  # of both edges, in pixels

    def see(self, width: int, height: int) -> Seen:
        check_size(width, height)
        longest = int(1333 / 800 * self.shortest)  # the processor's own ratio
        scale = self.shortest / min(width, height)
        wide, high = (scale * width, self.shortest) if height < width else (self.shortest, scale * height)
        if max(wide, high) > longest:
            scale = longest / max(wide, high)
            wide, high = scale * wide, scale * high
        columns, rows = (int(edge + 0.5) // self.divisor * self.divisor // self.patch for edge in (wide, high))
        if not columns * rows:
            raise UserError(
                f"A picture of {width} x {height} pixels is too thin: this family would keep no patch of it."
            )
        how = f"{columns} x {rows} patches of {self.patch} px and one token for the whole"
        return Seen(columns * rows + 1, 1, (rows, columns), how)
