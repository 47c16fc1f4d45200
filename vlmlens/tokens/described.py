"""What do the numbers of the description of relevance-driven allocation (ARR-COC-0-1) imply?

The description gives five numbers: K = 200 patches, 64 to 400 tokens each, 14,400 tokens in all against 115,200 when
all patches are alike. Everything else here is computed from them.
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Described:
    """An allocation by its numbers: `patches` with `low` to `high` tokens each, `total` against `uniform`."""

    patches: int
    low: int
    high: int
    total: int
    uniform: int

    @property
    def mean(self) -> float:
        """Tokens a patch, on average."""
        return self.total / self.patches

    @property
    def uniform_mean(self) -> float:
        """Tokens a patch of what it is compared with."""
        return self.uniform / self.patches

    @property
    def bound(self) -> int:
        """Tokens that are spoken for before any relevance is known: the minimum of every patch."""
        return self.patches * self.low

    @property
    def free(self) -> int:
        """Tokens that relevance may move."""
        return self.total - self.bound

    @property
    def share(self) -> float:
        """The part of the total that relevance may move."""
        return self.free / self.total

    @property
    def full(self) -> float:
        """How many patches the free tokens could raise from the minimum to the maximum."""
        return self.free / (self.high - self.low)

    @property
    def ratio(self) -> float:
        """How many times fewer tokens than the uniform picture."""
        return self.uniform / self.total

    @property
    def most(self) -> int:
        """The largest total that the bounds allow."""
        return self.patches * self.high

    def to_dict(self) -> dict[str, Any]:
        names = ("mean", "uniform_mean", "bound", "free", "share", "full", "ratio", "most")
        return asdict(self) | {name: getattr(self, name) for name in names}


DESCRIBED = Described(patches=200, low=64, high=400, total=14_400, uniform=115_200)


def implications(of: Described = DESCRIBED) -> tuple[str, ...]:
    """What follows from the numbers, a sentence each."""
    said = [
        f"{of.patches} x {of.mean:g} = {of.total:,}: the total is an average of {of.mean:g} tokens a patch; "
        f"{of.patches} x {of.uniform_mean:g} = {of.uniform:,} is the uniform one.",
        f"The minimum of {of.low} takes {of.patches} x {of.low} = {of.bound:,} of the {of.total:,}; relevance may move "
        f"{of.free:,} ({of.share:.1%}), {of.free / of.patches:g} a patch.",
        f"Raising a patch from {of.low} to {of.high} costs {of.high - of.low}; {of.free:,} tokens can do that for "
        f"{int(of.full)} of {of.patches} patches ({of.full:.2f}). A range of {of.low} to {of.high} sounds wider than "
        "it can be used.",
        f"The saving of {of.ratio:g} times comes from the total: {of.mean:g} tokens for every patch, without any "
        "relevance, save as much. What relevance adds is a question of accuracy at the same total.",
    ]
    if of.uniform_mean > of.high:
        said.append(
            f"The uniform picture has {of.uniform_mean:g} tokens a patch, more than the maximum of {of.high}: it is no "
            f"allocation within these bounds, which allow {of.bound:,} to {of.most:,}."
        )
    return tuple(said)
