"""What a remedy moves: small runs with and without it, and the quantity that it should change.

for experiment in EXPERIMENTS.values():
    without, with_it = (run(experiment, treated, seed) for treated in (False, True))
"""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch

from vlmlens.lab.model import LabModel
from vlmlens.lab.pitfalls.entropy import row_entropy
from vlmlens.lab.pitfalls.joining import asking, joining
from vlmlens.lab.pitfalls.remedy import Step
from vlmlens.lab.questions import all_questions
from vlmlens.lab.sites import sites_of
from vlmlens.lab.text import encode
from vlmlens.lab.training.loop import Trainer
from vlmlens.lab.training.plan import Plan
from vlmlens.lab.training.watch import Measured, held
from vlmlens.progress import Progress
from vlmlens.threads import one_thread
from vlmlens.trace.capture import Recorder, recording

Verdict = Literal["improved", "no change", "worse"]
SMALL: dict[str, Any] = {"width": 32, "batch": 128, "pool": 8000, "steps": 300}
T_95 = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776}  # Student's t, by how many seeds


@dataclass(frozen=True)
class Experiment:
    """One remedy tried on a plan that has its pitfall, or is near it."""

    remedy: str
    strength: float
    plan: Plan
    quantity: str  # of `figures`
    unit: str
    why: str  # this plan
    higher: bool = True  # is better
    against: tuple[tuple[str, float], ...] = field(default=())  # remedies of the plan without this one

    def arm(self, treated: bool, seed: int) -> Plan:
        own = ((self.remedy, self.strength),) if treated else self.against
        return replace(self.plan, seed=seed, remedies=own)


def small(wiring: str, **more: Any) -> Plan:
    return Plan(wiring, **{**SMALL, **more})


EXPERIMENTS: dict[str, Experiment] = {
    each.remedy: each
    for each in (
        Experiment(
            "entropy",
            0.1,
            small("txt2img"),
            "entropy",
            "nats a row of cross-attention",
            "words that look at 36 image tokens",
        ),
        Experiment(
            "attention dropout",
            0.3,
            small("txt2img"),
            "largest",
            "largest weight of a row of cross-attention",
            "words that look at 36 image tokens",
            higher=False,
        ),
        Experiment(
            "more queries",
            7.0,
            small("qformer", latents=1, steps=450),
            "accuracy",
            "of held-out answers",
            "a Q-Former with one query, and with eight",
        ),
        Experiment(
            "contrastive loss",
            1.0,
            small("txt2img", prior=0.9),
            "gap",
            "of held-out answers, right with the picture less right without",
            "training questions of which nine in ten have the answer that the words foretell",
        ),
        Experiment(
            "hard negatives",
            1.0,
            small("txt2img", prior=0.9),
            "gap",
            "of held-out answers, right with the picture less right without",
            "training questions of which nine in ten have the answer that the words foretell",
        ),
        Experiment(
            "higher rate",
            9.0,
            small("gated", rate_new=3e-4, rate_projection=3e-4),
            "gate",
            "mean tanh of the gates of attention, without sign",
            "gates that begin shut, and a low rate for all",
        ),
        Experiment(
            "skip connections",
            1.0,
            small("txt2img", clip=1.0),
            "reach",
            "gradient at the joining attention's first layer, of that at its last",
            "the same with no skips at all",
            against=(("skip connections", 0.0),),
        ),
    )
}


def run(experiment: Experiment, treated: bool, seed: int, progress: Progress | None = None) -> dict[str, float]:
    """Train one arm to its end, and every figure of it."""
    trainer = Trainer(experiment.arm(treated, seed), every=experiment.plan.steps)
    measured = None
    while trainer.step < trainer.plan.steps:
        if progress is not None:
            progress.step(trainer.step / trainer.plan.steps, f"step {trainer.step + 1} of {trainer.plan.steps}")
        measured = trainer.advance(progress).measured or measured
    assert measured is not None  # the last step always is
    return figures(trainer.model.eval(), measured)


def figures(model: LabModel, measured: Measured) -> dict[str, float]:
    """What the remedies are meant to move, on the validation items."""
    found = held()
    with torch.no_grad(), one_thread("openmp"):
        image = model.see(found.pixels)
        words, mask = model.words(encode([question.text for question in all_questions()])[found.question])
        sites = sites_of(model, image.shape[1], words.shape[1])
        with recording(Recorder(sites, np.zeros(0), {}, whole=True)) as recorder:
            logits = model.fuse(image, words, mask)
    attention = {name: flow.weights for name, flow in recorder.flows.items()}
    step = Step(model, image, words, mask, found.answer, logits, attention)
    gates = [abs(pair[0]) for pair in measured.gates if pair is not None]
    return {
        "accuracy": measured.accuracy,
        "blind": measured.blind,
        "gap": measured.accuracy - measured.blind,
        "entropy": float(row_entropy(step)),
        "largest": largest(step),
        "gate": float(np.mean(gates)) if gates else float("nan"),
        "reach": reach(model, step),
    }


def largest(step: Step) -> float:
    """Mean over rows and heads of the largest weight of the joining attention; padding does not count."""
    found = []
    for name, _, link in joining(step.model.fusion):
        top = step.attention[name].amax(-1)  # [item, head, query]
        real = asking(link.look, step.image, step.mask, step.model.fusion.queries)[:, None].expand_as(top)
        found.append(top[real].mean())
    return float(torch.stack(found).mean()) if found else float("nan")


def reach(model: LabModel, step: Step) -> float:
    """Size of the gradient at the first layer of the joining attention, as a part of that at its last."""
    layers: dict[int, list[torch.nn.Parameter]] = {}
    for _, layer, link in joining(model.fusion):
        layers.setdefault(layer, []).extend(p for p in link.attention.parameters() if p.ndim > 1 and p.requires_grad)
    if len(layers) < 2:
        return float("nan")
    model.zero_grad()
    torch.nn.functional.cross_entropy(model.fuse(step.image, step.words, step.mask), step.answer).backward()
    sizes = {
        layer: float(sum(p.grad.double().pow(2).sum() for p in own if p.grad is not None) ** 0.5)
        for layer, own in layers.items()
    }
    model.zero_grad()
    return sizes[min(sizes)] / max(sizes[max(sizes)], 1e-30)


def judged(without: list[float], treated: list[float], higher: bool = True) -> tuple[float, float, float, Verdict]:
    """Mean difference over seeds, its 95 % interval (paired, Student's t), and what that says."""
    apart = np.array(treated) - np.array(without)
    middle = float(apart.mean())
    half = T_95[len(apart)] * float(apart.std(ddof=1)) / float(np.sqrt(len(apart)))
    low, high = middle - half, middle + half
    better, worse = (low > 0, high < 0) if higher else (high < 0, low > 0)
    return middle, low, high, "improved" if better else "worse" if worse else "no change"
