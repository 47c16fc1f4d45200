"""What several figures need: held-out items, right answers and what they are worth."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from vlmlens.attribution.ground_truth import Mean
from vlmlens.charts import Bar
from vlmlens.lab.evaluate import wilson
from vlmlens.lab.sample import Item, take
from vlmlens.lab.scenes import Scene
from vlmlens.models import VLM

SEED = 11  # of the items that lessons ask; held-out scenes, never seen in training


@lru_cache(maxsize=32)
def asked(count: int, kinds: tuple[str, ...] = (), placed: bool = False) -> tuple[Item, ...]:
    """Held-out questions, by default of any kind; `placed`: only those that speak of something on the board."""
    options = {"kinds": kinds} if kinds else {}
    found = take("test", SEED, 3 * count if placed else count, **options)
    return tuple([item for item in found if not placed or item.question.relevant(item.scene)][:count])


def texts(items: Sequence[Item]) -> list[str]:
    return [item.question.text + "?" for item in items]


def scenes(items: Sequence[Item]) -> list[Scene]:
    return [item.scene for item in items]


def donors(items: Sequence[Item]) -> list[Scene]:
    """For every item another one's scene."""
    return [item.scene for item in (*items[1:], items[0])]


def hits(vlm: VLM, probabilities: np.ndarray, items: Sequence[Item]) -> np.ndarray:
    """Whether the most probable answer is the true one, bool [item]."""
    return np.array(
        [vlm.answer_text(int(best)) == item.answer for best, item in zip(probabilities.argmax(1), items, strict=True)]
    )


def share(right: np.ndarray) -> Mean:
    """A proportion with Wilson's 95 % interval."""
    low, high = wilson(int(right.sum()), len(right))
    return Mean(float(right.mean()), low, high)


def numbers(name: str, found: Mean) -> dict[str, float | str]:
    """`name`, `name_low`, `name_high`."""
    return {name: found.value, f"{name}_low": found.low, f"{name}_high": found.high}


def declared(name: str, told: str) -> dict[str, str]:
    """The same three as they are declared."""
    return {name: told, f"{name}_low": "lower end of its 95 % interval", f"{name}_high": "upper end of it"}


def bar(name: str, found: Mean, look: str = "before", kind: str = "") -> Bar:
    return Bar(name, found.value, found.low, found.high, look, kind)


def shares(bars: Sequence[Bar]) -> tuple[dict[str, object], ...]:
    """The same bars as the rows of a table."""
    return tuple({"what": one.name, "share": round(one.value, 3)} for one in bars)


def within(found: Mean, percent: bool = True) -> str:
    """A number with its interval, in words."""
    if percent:
        return f"{100 * found.value:.0f} % (95 % interval {100 * found.low:.0f} to {100 * found.high:.0f} %)"
    return f"{found.value:.2f} (95 % interval {found.low:.2f} to {found.high:.2f})"
