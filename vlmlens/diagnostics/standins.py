"""Four ways to answer without the picture. None is neutral, so they are shown together.

`donor mean`: the mean answer to the other pictures; by convexity it is never surer than the model itself, so it can
confirm a gain and never refute one. `blank` and `noise`: pictures without anything on them, which a model was not
trained on. `absent`: the picture's tokens knocked out, so that nothing reads them.
"""

from collections.abc import Sequence
from contextlib import suppress

import numpy as np
from PIL import Image

from vlmlens.diagnostics.bench import Bench
from vlmlens.errors import NotApplicable
from vlmlens.trace import Knockout, Segment

NOISES = 4
MOST_SAMPLED = 16  # pictures that the colours of blank and noise are taken from
NAMES = ("donor mean", "blank", "noise", "absent")


def blank(bench: Bench) -> Image.Image:
    """The mean colour of the probe set's pictures, as large as the first."""
    red, green, blue = (round(float(c)) for c in _colours(bench)[0])
    return Image.new("RGB", _size(bench), (red, green, blue))


def noise(bench: Bench) -> list[Image.Image]:
    """Independent pixels around the mean colour, with the pictures' own spread."""
    colour, spread = _colours(bench)
    rng = np.random.default_rng([19, bench.seed])
    width, height = _size(bench)
    pixels = rng.normal(colour, spread, (NOISES, height, width, 3)).clip(0, 255).astype(np.uint8)
    return [Image.fromarray(one) for one in pixels]


def donor_mean(bench: Bench) -> np.ndarray:
    """The mean probability of the answers to a question over its other pictures, natural logs [item, option]."""
    chances, question = np.exp(bench.clean), bench.items[:, 1]
    total = np.zeros((len(bench.probe.questions), chances.shape[1]))
    np.add.at(total, question, chances)
    count = np.bincount(question, minlength=len(total))[question][:, None]
    with np.errstate(divide="ignore"):
        found: np.ndarray = np.log((total[question] - chances).clip(0) / np.maximum(count - 1, 1))
    return np.where(count > 1, found, np.nan)


def absent(bench: Bench, texts: Sequence[str], questions: Sequence[int]) -> np.ndarray:
    """Answers to texts with the tokens of the first picture knocked out, [text, option].

    Raises:
        NotApplicable: the model has no image positions, or whole answers are said.
    """
    runner = bench.runner
    if runner.scoring.how == "whole answer":
        raise NotApplicable("Whole answers are said without knock-outs.")
    rows = []
    for text in texts:
        key = ("absent", text)
        if key not in runner.answers.kept:
            prepared = bench.vlm.prepare(bench.images[0], text)
            image = prepared.segments == Segment.IMAGE
            if not image.any():
                raise NotApplicable(f"{bench.vlm.name} has no image positions that could be knocked out.")
            with bench.vlm.lock:
                logits, _ = bench.vlm.run(prepared, None, [Knockout(image)])
            runner.answers.kept[key] = runner.scoring.mass(logits)[0]
        rows.append(runner.answers.kept[key])
    return bench.among(np.stack(rows), questions)


def without_picture(bench: Bench) -> dict[str, np.ndarray]:
    """Answers to every item under each stand-in, natural logs [variant, item, option]; those that this model allows."""
    questions = range(len(bench.probe.questions))
    texts = bench.probe.questions
    question = bench.items[:, 1]
    found = {}
    means = donor_mean(bench)
    if not np.isnan(means).any():
        found["donor mean"] = means[None]
    found["blank"] = bench.ask([blank(bench)] * len(texts), texts, questions)[question][None]
    pairs = [(picture, q) for picture in noise(bench) for q in questions]
    noisy = bench.ask([p for p, _ in pairs], [texts[q] for _, q in pairs], [q for _, q in pairs])
    found["noise"] = noisy.reshape(NOISES, len(texts), -1)[:, question]
    with suppress(NotApplicable):  # three are left, and the card names them
        found["absent"] = absent(bench, texts, questions)[question][None]
    return found


def _colours(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of each channel."""
    pictures = bench.images
    chosen = pictures[:: max(1, len(pictures) // MOST_SAMPLED)][:MOST_SAMPLED]
    pixels = np.stack([np.asarray(p.resize((64, 64)), float).reshape(-1, 3) for p in chosen])
    return pixels.mean(axis=(0, 1)), pixels.std(axis=(0, 1))


def _size(bench: Bench) -> tuple[int, int]:
    return bench.images[0].size
