"""GradCAM (Selvaraju et al., ICCV 2017) on the image tokens, whose width plays the part of the channels."""

from captum.attr import LayerGradCam
from torch import Tensor, nn

from vlmlens.attribution.case import Case, Map, single
from vlmlens.progress import Progress


def gradcam(case: Case, progress: Progress) -> Map:
    progress.step(0, "gradients")
    eyes = case.eyes
    channels = nn.Identity()  # Captum averages over all axes after the second: here it sees [batch, width, patch]

    def turn(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        turned: Tensor = channels(output.transpose(1, 2)).transpose(1, 2)
        return turned

    with case.computing():
        handle = case.projector.register_forward_hook(turn)
        try:
            found = LayerGradCam(case.of_pixels, channels).attribute(
                eyes.pixels.clone().requires_grad_(), relu_attributions=True
            )
        finally:
            handle.remove()
    return single("gradcam", found[0, 0].detach().cpu().numpy(), "of activation", signed=False)
