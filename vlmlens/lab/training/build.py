"""From a plan to a model before its first step, and which of its weights are trained."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from torch import nn

from vlmlens.lab.model import LabModel
from vlmlens.lab.training.plan import Plan
from vlmlens.lab.training.schedule import GROUPS, Group, highest
from vlmlens.lab.weights import encoder_state, local_state

if TYPE_CHECKING:
    from vlmlens.lab.pitfalls import Remedy

_dice = threading.RLock()  # torch has one generator for all threads


@contextmanager
def seeded(*seed: int) -> Iterator[None]:
    """Torch's random numbers begin at a seed, and go on afterwards where they were."""
    mixed = seed[0] if len(seed) == 1 else int.from_bytes(repr(seed).encode()[:64], "big") % 2**63
    with _dice, torch.random.fork_rng(devices=[]):
        torch.manual_seed(mixed)
        yield


def build(plan: Plan) -> LabModel:
    """The model of a plan: shared encoders, the rest as its seed makes it. Gradients only where it is to learn.

    Positions other than learned come with local eyes, so that nothing else knows where things are.
    """
    how = effective(plan)
    with seeded(plan.seed):
        model = make(how)
    model.load_state_dict(encoder_state() if see_places(how) else local_state(), strict=False)
    for name, strength in plan.remedies:
        change = remedies()[name].model
        if change is not None:
            with seeded(plan.seed, 1):
                change(model, strength)
    rate = highest(how)
    for group, parameters in grouped(model).items():
        for parameter in parameters.values():
            parameter.requires_grad_(parameter.requires_grad and rate[group] > 0)
    return model


def effective(plan: Plan) -> Plan:
    """The plan as its remedies change it. Not to be applied twice."""
    for name, strength in plan.remedies:
        change = remedies()[name].plan
        if change is not None:
            plan = change(plan, strength).check()
    return plan


def make(plan: Plan) -> LabModel:
    """The modules of a plan, with random weights."""
    return LabModel(plan.wiring, plan.width, plan.latents, plan.side, plan.positions)


def see_places(plan: Plan) -> bool:
    """Whether its eyes are those of the shipped models, which know where a patch is; else local ones (see LabModel)."""
    return plan.positions == "learned"


def group_of(name: str) -> Group:
    """The group of a parameter by its name: encoders are pretrained, the ways from them into the fusion projections."""
    if name.startswith(("vision.", "text.")):
        return "pretrained"
    return "projection" if name.startswith(("fusion.enter_image.", "fusion.enter_question.")) else "new"


def grouped(model: nn.Module) -> dict[Group, dict[str, nn.Parameter]]:
    """Every parameter of a model by group and name."""
    found: dict[Group, dict[str, nn.Parameter]] = {group: {} for group in GROUPS}
    for name, parameter in model.named_parameters():
        found[group_of(name)][name] = parameter
    return found


def sizes(plan: Plan) -> dict[Group, tuple[int, int]]:
    """How many numbers of each group are trained, and how many there are."""
    return {
        group: (sum(p.numel() for p in found.values() if p.requires_grad), sum(p.numel() for p in found.values()))
        for group, found in grouped(build(plan)).items()
    }


def trainable_share(plan: Plan) -> float:
    """The part of all parameters that training changes, from 0 to 1."""
    found = sizes(plan).values()
    return sum(trained for trained, _ in found) / sum(total for _, total in found)


def remedies() -> "Mapping[str, Remedy]":
    """The remedies by name; they know plans, so they are only known where they are used."""
    from vlmlens.lab.pitfalls import REMEDIES

    return REMEDIES
