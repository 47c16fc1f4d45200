"""Vision ignored: does another picture serve the answer as well as its own?"""

import numpy as np

from vlmlens.diagnostics.statistics import interval, mean_draws
from vlmlens.pitfalls.evidence import Evidence
from vlmlens.pitfalls.finding import Detector, Finding, judged, not_applicable

MARGIN = 0.05  # bits a question
MOST_LOSS = 10.0  # bits; an answer that was held impossible costs no more


def find(evidence: Evidence) -> Finding:
    bench, probe = evidence.bench, evidence.probe
    pictures, questions = len(probe.pictures), len(probe.questions)
    if not probe.is_crossed or (bench.truth < 0).any():
        return not_applicable("It takes questions whose true answer to every picture is known.")
    logs = bench.clean.reshape(pictures, questions, -1)
    truth = bench.truth.reshape(pictures, questions)
    # loss[shown, own, question]: of the true answer for one's own picture where another was shown
    asked = np.arange(questions)
    loss = np.minimum(-np.stack([logs[:, asked, row] for row in truth], axis=1) / np.log(2), MOST_LOSS)
    own = loss[np.arange(pictures), np.arange(pictures)]  # [picture, question]
    donors = (loss.sum(axis=0) - own) / (pictures - 1)
    gain = donors - own
    right = (logs.argmax(-1) == truth).mean()
    donated = np.stack([logs.argmax(-1) == row for row in truth], axis=1).astype(float)
    blind = (donated.sum(axis=0) - (logs.argmax(-1) == truth)).sum() / (pictures * questions * (pictures - 1))
    draws = mean_draws(gain.ravel(), np.repeat(np.arange(pictures), questions), bench.weights)
    low, high = interval(draws)
    return Finding(
        judged((low, high), MARGIN, ill_above=False),
        f"The own picture saves {_told(gain.mean())} bit a question against another one (95 % interval {_told(low)} to "
        f"{_told(high)}); with it {right:.0%} of the answers are right, with another {blind:.0%}.",
        float(gain.mean()),
        (low, high),
        pictures * questions,
        {"right": float(right), "blind": float(blind), "own": float(own.mean()), "donors": float(donors.mean())},
    )


def _told(bits: float) -> str:
    """Without the sign that rounding leaves on a zero."""
    return f"{round(float(bits), 2) + 0.0:.2f}"


DETECTOR = Detector(
    "vision ignored",
    "Does the picture serve the answer at all?",
    "bits a question",
    f"found where another picture costs less than {MARGIN:g} bit, not found where it costs more",
    "Make the answer depend on the picture: train against other pictures, best against those that differ in one thing.",
    ("contrastive loss", "hard negatives"),
    find,
)
