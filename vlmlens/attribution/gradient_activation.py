"""Gradient times activation of the image tokens, summed over their width: first order, and cheap."""

from captum.attr import LayerGradientXActivation

from vlmlens.attribution.case import Case, Map, single
from vlmlens.progress import Progress


def gradient_activation(case: Case, progress: Progress) -> Map:
    progress.step(0, "gradients")
    eyes = case.eyes
    with case.computing():
        found = LayerGradientXActivation(case.of_pixels, case.projector).attribute(eyes.pixels.clone().requires_grad_())
    tokens = found[0] if isinstance(found, tuple) else found
    cells = tokens[0].sum(dim=-1).detach().cpu().numpy()
    return single("gradient x activation", cells, f"nats of {case.explained()}")
