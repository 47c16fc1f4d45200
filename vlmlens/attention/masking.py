"""Layer-wise masking: at which layers does the model read the picture, and which of that decides the answer?

    sweep = masking_sweep(vlm, picture, question)                     # one input
    sweep = masking_sweep(vlm, pictures, questions, mode="zero")      # a probe set, with a test over its items

`knockout` blocks the edges of one route in a window of layers (Geva et al., EMNLP 2023; Zhang et al., arXiv
2411.18620): what is lost is what was read there. `zero` sets the picture's hidden states to zero as they enter a layer
(Song et al., arXiv 2601.08151): what is lost is all that would be read from there on, so that its curve is a staircase
whose steps are the readings. What words have already taken over from the picture stays when the picture is zeroed:
`zero` cannot see that the answer still comes from it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from vlmlens.attention.sweep import Mode, Sweep
from vlmlens.errors import NotApplicable
from vlmlens.models import VLM, Picture, Prepared
from vlmlens.models.inside import branched
from vlmlens.models.unseen import barely_changed
from vlmlens.progress import Progress
from vlmlens.trace import Branch, Knockout, Scale, Segment

MODES: tuple[Mode, ...] = ("knockout", "zero")
LEAST_NOISE = 1e-5  # sums of float32 in another order differ by as much
NOISE_ITEMS = 4  # items of a probe set that the noise floor is measured on


@dataclass(frozen=True)
class Route:
    """Which positions read which."""

    name: str
    reader: Segment | Literal["last"]
    read: Segment


ROUTES = {
    route.name: route
    for route in (
        Route("image to last", "last", Segment.IMAGE),
        Route("image to question", Segment.QUESTION, Segment.IMAGE),
        Route("question to last", "last", Segment.QUESTION),
        Route("question to image", Segment.IMAGE, Segment.QUESTION),
        Route("image to latents", Segment.LATENT, Segment.IMAGE),
        Route("question to latents", Segment.LATENT, Segment.QUESTION),
        Route("latents to question", Segment.QUESTION, Segment.LATENT),
        Route("latents to last", "last", Segment.LATENT),
    )
}


def edges(prepared: Prepared, route: Route) -> tuple[np.ndarray, np.ndarray]:
    """What a route reads, bool [position], and who reads, bool [position + 1] with a readout last."""
    rows = np.zeros(prepared.length + 1, bool)
    if route.reader == "last":
        rows[prepared.row] = True
    else:
        rows[:-1] = prepared.segments == route.reader
    return prepared.segments == route.read, rows


def readers(vlm: VLM, prepared: Prepared, route: Route) -> tuple[int, ...]:
    """The layers that have edges of a route. In a decoder, nothing reads what comes after it."""
    keys, rows = edges(prepared, route)
    found = set()
    for site in vlm.sites(prepared).values():
        asking, read = np.array(site.queries)[rows[list(site.queries)]], np.array(site.keys)[keys[list(site.keys)]]
        if len(asking) and len(read) and (not vlm.causal or read.min() < asking.max()):
            found.add(site.layer)
    return tuple(sorted(found))


def routes(vlm: VLM, prepared: Prepared) -> tuple[str, ...]:
    """The routes that this model has edges for, those with the most layers first."""
    layers = {name: len(readers(vlm, prepared, route)) for name, route in ROUTES.items()}
    return tuple(sorted((name for name, count in layers.items() if count), key=lambda name: -layers[name]))


def masking_sweep(
    vlm: VLM,
    picture: Picture | Sequence[Picture],
    question: str | Sequence[str],
    mode: Mode = "knockout",
    route: str = "image to last",
    window: int = 1,
    progress: Progress | None = None,
) -> Sweep:
    """Mask one layer after the other and follow the probability of each item's own answer.

    Args:
        picture, question: one of each, or as many of one as of the other.
        mode, route: see above; `zero` blanks the picture and takes no route.
        window: layers blocked at once in `knockout`, around each layer; odd.

    Raises:
        NotApplicable: an unknown mode or route, or one that this model has no edges for.
    """
    *_, last = sweeping(vlm, picture, question, mode, route, window, progress)
    return last


def sweeping(
    vlm: VLM,
    picture: Picture | Sequence[Picture],
    question: str | Sequence[str],
    mode: Mode = "knockout",
    route: str = "image to last",
    window: int = 1,
    progress: Progress | None = None,
) -> Iterator[Sweep]:
    """As `masking_sweep`, item by item: yields what is known so far."""
    if mode not in MODES or route not in ROUTES:
        known = f"modes: {', '.join(MODES)}; routes: {', '.join(ROUTES)}"
        raise NotApplicable(f"There is no sweep “{mode}”, “{route}”; {known}.")
    if window < 1 or window % 2 == 0:
        raise NotApplicable(f"window: an odd number of layers, got {window}.")
    questions = [question] if isinstance(question, str) else list(question)
    pictures = [picture] if isinstance(picture, get_args(Picture)) else list(picture)  # type: ignore[arg-type]
    if not questions or len(pictures) != len(questions):
        raise NotApplicable(f"A sweep needs as many pictures as questions; got {len(pictures)} and {len(questions)}.")
    items = list(zip(pictures, questions, strict=True))
    noise = 0.0
    answers: list[str] = []
    before: list[float] = []
    after: list[np.ndarray] = []
    kept: list[np.ndarray] = []
    for shown, asked in (progress or Progress()).over(items, len(items), "question"):
        prepared = vlm.prepare(vlm.image(shown), asked)
        labels = _labels(vlm, prepared)
        masks = _masks(vlm, prepared, mode, ROUTES[route], window)
        clean, masked = branched(vlm, prepared, list(masks.values()), progress if len(items) == 1 else None)
        candidate, place = int(clean.argmax()), [list(labels).index(layer) for layer in masks]
        if len(answers) < NOISE_ITEMS:
            alone = float(clean.double().softmax(-1)[candidate])
            noise = max(noise, noise_floor(vlm, shown, asked, candidate, alone))
        probability, same = np.full(len(labels), np.nan), np.ones(len(labels), bool)
        probability[place] = masked.double().softmax(-1)[:, candidate].numpy()
        same[place] = (masked.argmax(-1) == candidate).numpy()
        answers.append(vlm.answer_text(candidate))
        before.append(float(clean.double().softmax(-1)[candidate]))
        after.append(probability)
        kept.append(same)
        yield Sweep(
            mode,
            route if mode == "knockout" else "",
            window,
            tuple(labels.values()),
            tuple(labels),
            tuple(answers),
            np.array(before),
            np.array(after),
            np.array(kept),
            noise,
            next((site.layer for site in vlm.sites(prepared).values() if site.kind == "readout"), None),
        )


def noise_floor(vlm: VLM, picture: Picture, question: str, candidate: int, alone: float | None = None) -> float:
    """The largest relative change of an answer's probability by what must not matter.

    Copies of the picture with noise of at most one grey level, and the picture itself, in one batch: what nobody
    sees, the size of the batch, the place in it.

    Args:
        alone: the answer's probability without any of that, where it is known already.
    """
    if alone is None:
        alone = float(vlm.probabilities([picture], [question])[0, candidate])
    together = unseen_changes(vlm, picture, question)[:, candidate]
    return max(float(np.abs(together / max(alone, 1e-300) - 1).max()), LEAST_NOISE)


def unseen_changes(vlm: VLM, picture: Picture, question: str) -> np.ndarray:
    """Probabilities under what must not matter, [change, candidate]: see `noise_floor`."""
    noisy = barely_changed(vlm.image(picture))
    return vlm.probabilities([*noisy, picture], [question] * (len(noisy) + 1))


def _labels(vlm: VLM, prepared: Prepared) -> dict[int, str]:
    return {site.layer: site.label for site in vlm.sites(prepared).values()}


def _masks(vlm: VLM, prepared: Prepared, mode: Mode, route: Route, window: int) -> dict[int, Branch]:
    """What each layer's masking changes, and from which layer on."""
    if mode == "zero":
        image = tuple(np.flatnonzero(prepared.segments == Segment.IMAGE).tolist())
        layers = (layer for layer in _labels(vlm, prepared) if layer >= vlm.whole_from)  # before, more would follow
        return {layer: Branch(layer, (Scale(layer, image, 0.0),)) for layer in layers}
    keys, rows = edges(prepared, route)
    found, half = {}, window // 2
    with_edges = readers(vlm, prepared, route)
    if not with_edges:
        has = ", ".join(routes(vlm, prepared))
        raise NotApplicable(f"{vlm.name} has no attention on the route “{route.name}”; it has: {has}.")
    for layer in with_edges:
        blocked = tuple(other for other in with_edges if abs(other - layer) <= half)
        found[layer] = Branch(blocked[0], (Knockout(keys, rows, blocked),))
    return found
