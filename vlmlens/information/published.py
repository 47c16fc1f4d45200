"""The per-input protocol of a published PID study (Amit et al., arXiv 2511.19470), and the controls it needs.

Steps, as the study's public code has them (SmolVLM on GQA), for one picture and one question:
1. X1 = the picture's token states before the decoder, X2 = the text's, Y = the last hidden states of all positions.
2. The longer sequences are replaced by as many mini-batch k-means centres as the shortest has tokens, so that each has
   the same number of rows. Row i of one is then paired with row i of the others: **the pairing is arbitrary**.
3. Each side is row-normalised, reduced by PCA to 10 components and clustered by k-means into 10 clusters.
4. The three label sequences make one table of counts; its BROJA decomposition is reported, with no correction for the
   handful of samples it comes from.

Deviations, each named: ours is solved exactly and in bits (the study: iterated fitting, nats); k is lowered where there
are fewer rows than clusters; `unique_image` is the term of the image axis (as stored in the study, the two names are
swapped against the axes).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.decomposition import PCA
from sklearn.preprocessing import normalize

from vlmlens.information.clusters import checked
from vlmlens.information.interventional import unique_share
from vlmlens.information.solver import InformationError, decompose
from vlmlens.models import VLM, Picture
from vlmlens.progress import Progress
from vlmlens.threads import one_thread

CLUSTERS = 10
COMPONENTS = 10
REPAIRINGS = 10
TOLERANCE = 1e-6

AS_PUBLISHED = "as published"
REPAIRED = "rows re-paired at random"
NOISE = "the picture is noise"
OTHER_TEXT = "the text is another"


@dataclass(frozen=True)
class Row:
    """One run of the protocol. Bits."""

    control: str
    unique_image: float
    unique_text: float
    redundant: float
    synergistic: float
    image_share: float  # unique image / (unique image + unique text); NaN where both are nothing
    rows: int  # paired rows: the samples of the table


@dataclass(frozen=True, eq=False)
class Published:
    """The protocol's figures for one picture and question, and for inputs that should change them."""

    runs: tuple[Row, ...]

    def of(self, control: str) -> list[Row]:
        return [run for run in self.runs if run.control == control]

    def sentence(self) -> str:
        """What survives the controls."""
        (whole,) = self.of(AS_PUBLISHED)
        controls = [run for run in self.runs if run.control != AS_PUBLISHED]
        spread = [run.image_share for run in controls if run.image_share == run.image_share]
        if whole.rows <= CLUSTERS and whole.image_share != whole.image_share:
            return (
                f"n/a: {whole.rows} rows in as many clusters. Every row is a cluster of its own, and any picture and "
                f"any words give the same {np.log2(whole.rows):.2f} bits, all “redundant”: "
                "**nothing survives the controls**."
            )
        if whole.image_share != whole.image_share or not spread:
            return "n/a: nothing unique is left in this table, so there is no share to compare."
        low, high = min(spread), max(spread)
        inside = low <= whole.image_share <= high
        told = (
            f"As published, the image share is **{100 * whole.image_share:.0f} %**; with rows re-paired at random, the "
            f"picture replaced by noise or the text by another it is {100 * low:.0f} to {100 * high:.0f} %"
        )
        if inside:
            return f"{told}: **nothing survives the controls**. The figure does not depend on what was seen or asked."
        return f"{told}: what lies outside that range survives the controls."

    def to_frame(self) -> pd.DataFrame:
        return pd.DataFrame([asdict(run) for run in self.runs])

    def to_dict(self) -> dict[str, Any]:
        rows = [{k: None if v != v else v for k, v in asdict(run).items()} for run in self.runs]
        return {"runs": rows, "sentence": self.sentence()}


def protocol(
    image: np.ndarray, text: np.ndarray, output: np.ndarray, seed: int = 0, control: str = AS_PUBLISHED
) -> Row:
    """Steps 2 to 4 for token states [token, width] of the picture, the text and the output.

    With the control "rows re-paired at random", the rows of each side are permuted before they are paired.

    Raises:
        InformationError: a side of fewer than two tokens, or states that are not finite.
    """
    sides = [checked(side) for side in (image, text, output)]
    count = min(len(side) for side in sides)
    if count < 2:
        raise InformationError(
            "The protocol pairs token rows; it needs at least two tokens of picture, text and output."
        )
    rng = np.random.default_rng(seed)
    labels = []
    with one_thread("openmp"), one_thread("blas"):
        for side in sides:
            found = _clustered(_shortened(side, count, seed), seed)
            labels.append(rng.permutation(found) if control == REPAIRED else found)
    table = np.zeros([label.max() + 1 for label in labels])
    np.add.at(table, tuple(labels), 1)
    pid = decompose(table, TOLERANCE)
    return Row(
        control,
        unique_image=float(pid.unique_1),
        unique_text=float(pid.unique_2),
        redundant=float(pid.redundant),
        synergistic=float(pid.synergistic),
        image_share=unique_share(pid),
        rows=count,
    )


def published(
    vlm: VLM,
    picture: Picture,
    question: str,
    other_questions: Sequence[str] = (),
    seed: int = 0,
    progress: Progress | None = None,
) -> Published:
    """The protocol on one picture and question, and its controls.

    Args:
        other_questions: each replaces the question once.
    """
    progress = progress or Progress()
    image = vlm.image(picture)
    progress.step(0.0, "as published")
    states = vlm.token_states(image, question)
    runs = [protocol(*states, seed=seed)]
    for draw in range(REPAIRINGS):
        progress.step(0.1 + 0.5 * draw / REPAIRINGS, REPAIRED)
        runs.append(protocol(*states, seed=seed + 1 + draw, control=REPAIRED))
    for draw in range(3):
        progress.step(0.6 + 0.1 * draw, NOISE)
        noise = np.random.default_rng([6, seed, draw]).integers(0, 256, (*image.size[::-1], 3), np.uint8)
        runs.append(protocol(*vlm.token_states(Image.fromarray(noise), question), seed=seed, control=NOISE))
    for number, other in enumerate(other_questions):
        progress.step(0.9 + 0.1 * number / len(other_questions), OTHER_TEXT)
        runs.append(protocol(*vlm.token_states(image, other), seed=seed, control=OTHER_TEXT))
    return Published(tuple(runs))


def _shortened(states: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Step 2: as many k-means centres as there are rows to pair, where there are more tokens."""
    if len(states) <= count:
        return states
    return np.asarray(MiniBatchKMeans(count, n_init=3, random_state=seed).fit(states).cluster_centers_)


def _clustered(states: np.ndarray, seed: int) -> np.ndarray:
    """Step 3: a label for each row, int [row]."""
    rows = normalize(states)
    distinct = len(np.unique(rows.round(9), axis=0))  # after PCA equal rows differ by rounding
    if distinct == 1:
        return np.zeros(len(rows), int)
    reduced = PCA(min(COMPONENTS, *rows.shape), random_state=seed).fit_transform(rows)
    return np.asarray(KMeans(min(CLUSTERS, distinct), n_init=10, random_state=seed).fit_predict(reduced))
