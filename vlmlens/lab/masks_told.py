"""A mask in words: who each row and column is, who may look at whom, and why not."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlmlens.lab.masks import Layout, Mask

MARKER = "<image>"


@dataclass(frozen=True)
class Spot:
    """A row or a column: `label` beside the picture, `name` in a sentence, `kind` one of KINDS."""

    label: str
    name: str
    kind: str
    picture: int = 0  # a token's picture, from 1; for a word, how many pictures have come


KINDS = ("query", "picture token", "word")


@dataclass(frozen=True, eq=False)
class Drawn:
    """A mask over real tokens."""

    mask: Mask
    rows: tuple[Spot, ...]
    columns: tuple[Spot, ...]
    seen: np.ndarray  # bool [row, column]

    def told(self, row: int, column: int) -> str:
        """Whether one may look at the other, and why not."""
        asks, looked = self.rows[row].name, self.columns[column].name
        if self.seen[row, column]:
            return f"{asks} may look at {'itself' if asks == looked else looked}"
        return f"{asks} may not look at {looked}: {self._why(row, column)}"

    def _why(self, row: int, column: int) -> str:
        if self.mask.across:
            reached, picture = self.rows[row].picture, self.columns[column].picture
            if not reached:
                return "no picture has come yet"
            return f"picture {picture} comes later" if picture > reached else f"picture {reached} has come since"
        kinds = {self.rows[row].kind, self.columns[column].kind}
        return self.mask.denied if len(kinds) > 1 and self.mask.denied else "it comes later"

    def sentence(self) -> str:
        """How many pairs may look, and the widest and the narrowest row."""
        if not self.seen.size:
            return "There is nobody to look at: no picture stands in the text."
        counts = self.seen.sum(1)
        most, least = int(counts.argmax()), int(counts.argmin())
        told = f"Of {self.seen.size} pairs, **{int(self.seen.sum())}** may look ({100 * self.seen.mean():.0f} %)"
        if counts[most] == counts[least]:
            each = "all" if counts[most] == len(self.columns) else f"{counts[most]}"
            return f"{told}: everyone looks at {each} of {len(self.columns)}."
        return f"{told}: {self.rows[most].name} looks at {counts[most]}, {self.rows[least].name} at {counts[least]}."

    def records(self) -> list[dict[str, object]]:
        """One row a pair, for a table."""
        return [
            {
                "who asks": self.rows[i].name,
                "who is looked at": self.columns[j].name,
                "may look": bool(self.seen[i, j]),
                "told": self.told(i, j),
            }
            for i in range(len(self.rows))
            for j in range(len(self.columns))
        ]


def over(mask: Mask, words: Sequence[str], queries: int, answers: int = 1) -> Drawn:
    """A mask over these words and so many queries, or tokens of each picture; MARKER is where a picture stands."""
    markers = tuple(place for place, word in enumerate(words) if word == MARKER) if mask.across else ()
    layout = Layout(queries, len(words), markers, min(answers, len(words)))
    reached = layout.reached
    spoken = tuple(_word(words, place, int(reached[place])) for place in range(len(words)))
    if mask.across:
        tokens = tuple(
            Spot(f"{picture}.{token}", f"token {token} of picture {picture}", "picture token", picture)
            for picture in range(1, len(markers) + 1)
            for token in range(1, queries + 1)
        )
        return Drawn(mask, spoken, tokens, mask.see(layout))
    short, long = ("q", "query") if mask.first == "query" else ("p", "picture token")
    firsts = tuple(Spot(f"{short}{i}", f"{long} {i}", long) for i in range(1, queries + 1))
    return Drawn(mask, firsts + spoken, firsts + spoken, mask.see(layout))


def _word(words: Sequence[str], place: int, reached: int) -> Spot:
    """A word's spot; where it stands more than once, its place tells which."""
    word = words[place]
    if word == MARKER:
        number = words[: place + 1].count(MARKER)
        return Spot(f"image {number}", f"the marker of picture {number}", "word", reached)
    which = f" (word {place + 1})" if words.count(word) > 1 else ""
    return Spot(word, f"the word “{word}”{which}", "word", reached)
