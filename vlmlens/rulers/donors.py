"""How far does the answer move when only the picture, or only the question, is another one's?"""

import numpy as np

from vlmlens.diagnostics.statistics import interval, jensen_shannon, resampled
from vlmlens.information.interventional import NEGLIGIBLE
from vlmlens.rulers.bench import Bench
from vlmlens.rulers.ruler import Reading, Ruler, cannot_tell


def divergences(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """From p(answer | picture, question) [picture, question, answer], bits of Jensen-Shannon divergence.

    Between pictures, [picture, picture], mean over questions; and of each picture between its questions, [picture],
    mean over pairs of them.
    """
    between = np.stack([jensen_shannon(row[None], table).mean(axis=1) for row in table])
    turned = table.swapaxes(0, 1)
    count = len(turned)
    within = np.sum([jensen_shannon(row[None], turned) for row in turned], axis=(0, 1)) / (count * (count - 1))
    return between, within


def effects(table: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The picture's and the question's mean effect, bits [draw], for how often each picture is drawn [draw, picture].

    A picture drawn twice is no pair of pictures.
    """
    between, within = divergences(table)
    total = weights.sum(axis=1)
    pairs = total**2 - (weights**2).sum(axis=1)
    image = np.einsum("bi,ij,bj->b", weights, between, weights) / np.where(pairs > 0, pairs, np.inf)
    return image, weights @ within / total


def measure(bench: Bench) -> Reading:
    table = bench.found.table
    pictures, questions = table.shape[:2]
    image, question = effects(table, np.vstack([np.ones(pictures), resampled(pictures, 0)]))
    whole = image + question
    if whole[0] <= NEGLIGIBLE:
        return cannot_tell("neither another picture nor another question changes the answer", pictures * questions)
    shares = image / np.maximum(whole, NEGLIGIBLE)
    return Reading(
        float(shares[0]), *interval(shares[1:]), pictures * questions, by_item=_by_item(table, bench.ensemble.items)
    )


def _by_item(table: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Of each pair of picture and question, the picture's effect over both, [item]."""
    found = np.full(len(items), np.nan)
    pictures, questions = table.shape[:2]
    for index, (picture, question) in enumerate(items):
        own = table[picture, question]
        image = float(jensen_shannon(own, table[:, question]).sum() / (pictures - 1))
        words = float(jensen_shannon(own, table[picture]).sum() / (questions - 1))
        found[index] = image / (image + words) if image + words > NEGLIGIBLE else np.nan
    return found


RULER = Ruler(
    "donor behavior",
    "use",
    "The mean change of the answers when the picture is another one's and the question stays, over that and the change "
    "when the question is another's and the picture stays; all pairs of the ensemble. Interval: bootstrap over "
    "pictures.",
    r"$\frac{\overline{JS}(x \to x')}{\overline{JS}(x \to x') + \overline{JS}(q \to q')}$, in bits",
    "The effects of interventional PID (docs/definitions.md); donors as in the dependency test.",
    "how the model does it. It speaks over these pictures and questions only, and which other questions are asked "
    "moves it more than most models differ.",
    "pairs",
    measure,
)
