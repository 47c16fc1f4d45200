"""Who may look at whom? The attention masks of the field, as pictures: bool [who asks, who is looked at].

    MASKS["itg"].see(Layout(queries=8, words=7))

One row a mask in `MASKS`. A sequence has its queries (or the picture's tokens) first, then its words; where words look
across at pictures, the rows are the words and the columns the tokens of one picture after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Layout:
    """What stands where.

    `queries`: learned queries, or the tokens of one picture. `words`: words of the text. `markers`: ascending places
    among the words, each the place of one picture; only masks that look across use them. `answers`: how many
    of the words, the last ones, are written and not given; only a prefix asks.
    """

    queries: int
    words: int
    markers: tuple[int, ...] = ()
    answers: int = 1

    def __post_init__(self) -> None:
        if self.queries < 0 or self.words < 0:
            raise ValueError(f"{self.queries} queries and {self.words} words: neither may be below 0")
        if self.words and not 0 <= self.answers <= self.words:
            raise ValueError(f"{self.answers} words of the answer among {self.words}: at least 0 and at most all")
        if list(self.markers) != sorted(set(self.markers) & set(range(self.words))):
            raise ValueError(f"markers {self.markers} must be ascending places among {self.words} words")

    @property
    def is_word(self) -> np.ndarray:
        """bool [position]: queries first, then words."""
        return np.arange(self.queries + self.words) >= self.queries

    @property
    def reached(self) -> np.ndarray:
        """int [word]: how many pictures have come up to each word; a marker counts its own."""
        count: np.ndarray = np.isin(np.arange(self.words), self.markers).cumsum()
        return count

    @property
    def picture_of(self) -> np.ndarray:
        """int [column]: which picture, from 1, each column of a mask that looks across belongs to."""
        return np.repeat(np.arange(1, len(self.markers) + 1), self.queries)


@dataclass(frozen=True)
class Mask:
    """A mask by name. `see(layout)` is bool [who asks, who is looked at]."""

    name: str
    title: str
    sentence: str  # for people
    used_by: str
    paper: str
    see: Callable[[Layout], np.ndarray]
    denied: str  # why a position of the one kind may not look at one of the other
    across: bool = False  # rows are words and columns the tokens of pictures
    first: str = "query"  # what the positions before the words are


def itc(layout: Layout) -> np.ndarray:
    """Unimodal: queries see queries, words see words."""
    word = layout.is_word
    seen: np.ndarray = word[:, None] == word
    return seen


def itm(layout: Layout) -> np.ndarray:
    """Bidirectional: all see all."""
    return np.ones((layout.queries + layout.words,) * 2, bool)


def itg(layout: Layout) -> np.ndarray:
    """Multimodal causal: queries see queries; a word sees all queries and the words up to itself."""
    return _prefix(layout.queries, layout.queries + layout.words)


def causal(layout: Layout) -> np.ndarray:
    """Each position sees itself and what came before."""
    return np.tri(layout.queries + layout.words, dtype=bool)


def prefix(layout: Layout) -> np.ndarray:
    """The picture's tokens and the question see each other in full; only the answer is causal."""
    return _prefix(layout.queries + max(0, layout.words - layout.answers), layout.queries + layout.words)


def _prefix(first: int, length: int) -> np.ndarray:
    """All see the `first` positions; the others also what lies between and themselves."""
    place = np.arange(length)
    seen: np.ndarray = (place < first) | ((place <= place[:, None]) & (place[:, None] >= first))
    return seen


def last_picture(layout: Layout) -> np.ndarray:
    """Each word sees the tokens of the last picture before it; before the first, none."""
    seen: np.ndarray = layout.reached[:, None] == layout.picture_of
    return seen


def all_pictures(layout: Layout) -> np.ndarray:
    """Each word sees the tokens of every picture before it."""
    seen: np.ndarray = layout.reached[:, None] >= layout.picture_of
    return seen


MASKS: dict[str, Mask] = {
    mask.name: mask
    for mask in (
        Mask(
            "itc",
            "Contrast (ITC)",
            "Queries look at queries and words at words, so that each side makes a vector of its own to compare.",
            "the contrastive loss of a Q-Former",
            "BLIP-2 (Li et al., ICML 2023), section 3.1 and figure 2: the unimodal mask",
            itc,
            "queries and words must not meet before their vectors are compared",
        ),
        Mask(
            "itm",
            "Match (ITM)",
            "All look at all, so that each query can check the words against what it saw of the picture.",
            "the matching loss of a Q-Former",
            "BLIP-2 (Li et al., ICML 2023), section 3.1 and figure 2: the bi-directional mask",
            itm,
            "",
        ),
        Mask(
            "itg",
            "Tell (ITG)",
            "A word looks at all queries and the words up to itself; queries cannot look at words, so what the words "
            "need must already be in the queries.",
            "the captioning loss of a Q-Former",
            "BLIP-2 (Li et al., ICML 2023), section 3.1 and figure 2: the multimodal causal mask (UniLM's)",
            itg,
            "what the words need must be in the queries before a word is said",
        ),
        Mask(
            "causal",
            "Causal",
            "Each position looks at itself and at what came before, the picture's tokens included.",
            "LLaVA, Qwen-VL, SmolVLM and most decoders",
            "Vaswani et al. (NeurIPS 2017), section 3.2.3; with picture tokens first, LLaVA (Liu et al., NeurIPS 2023)",
            causal,
            "",
            first="picture token",
        ),
        Mask(
            "prefix",
            "Prefix",
            "Picture and question look at each other in full; only the answer is written one word after the other.",
            "PaliGemma, GIT",
            "PaliGemma (Beyer et al., arXiv 2407.07726), section 3.1 and figure 2: the prefix-LM mask",
            prefix,
            "it is written later",
            first="picture token",
        ),
        Mask(
            "full",
            "Full",
            "All look at all, the words at the picture and the picture at the words.",
            "ViLT, lab:concat",
            "ViLT (Kim et al., ICML 2021), section 3.1; as in BERT (Devlin et al., NAACL 2019)",
            itm,
            "",
            first="picture token",
        ),
        Mask(
            "last picture",
            "Flamingo: the last picture",
            "Each word looks at the tokens of the last picture before it alone; words before the first picture look at "
            "none.",
            "Flamingo, OpenFlamingo, Llama 3.2 Vision",
            "Flamingo (Alayrac et al., NeurIPS 2022), section 2.3, eq. 2 and figure 7; a marker counts as being after "
            "its own picture, as in OpenFlamingo",
            last_picture,
            "",
            across=True,
            first="token",
        ),
        Mask(
            "all pictures",
            "All pictures before",
            "Each word looks at the tokens of every picture before it; what Flamingo was compared with, and did not "
            "keep.",
            "OpenFlamingo with only_attend_immediate_media=False",
            "Flamingo (Alayrac et al., NeurIPS 2022), section 2.3: attending to one picture at a time let a "
            "model trained with up to 5 pictures use 32",
            all_pictures,
            "",
            across=True,
            first="token",
        ),
    )
}
