"""What does a wiring cost: how many parameters, how many multiply-adds a question, how many milliseconds?

Multiply-adds are counted from the modules that ran and the shapes that they met in one pass of a copy: every linear map
and convolution, both products of attention, and the comparison with the answers' statements of a contrastive readout.
Norms, softmax, activations and sums are left out, as is usual. The text encoder runs as many words as the question has.
"""

import copy
import statistics
import time
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vlmlens.lab.draw import PIXELS
from vlmlens.lab.fusion import ContrastiveReadout, TwoPools
from vlmlens.lab.model import LabModel
from vlmlens.lab.questions import ANSWERS
from vlmlens.lab.text import encode
from vlmlens.progress import Progress
from vlmlens.threads import one_thread
from vlmlens.trace import Site
from vlmlens.trace.capture import Recorder, recording

QUESTION = "what color is the star?"
PASSES = 40


@dataclass(frozen=True)
class Cost:
    """Parameters as counts; multiply-adds of one question."""

    encoders: int  # parameters, of both
    fusion: int
    readout: int
    trained: int  # parameters that training moves while the encoders are frozen
    encoding: int  # multiply-adds: the picture and the words, each on its own
    fusing: int  # the layers of the wiring
    reading: int  # the readout
    attention: int  # of all these: scores and mixing, which grow with the product of queries and keys
    words: int

    @property
    def parameters(self) -> int:
        return self.encoders + self.fusion + self.readout

    @property
    def share(self) -> float:
        """The part of the parameters that is trained."""
        return self.trained / self.parameters

    @property
    def multiply_adds(self) -> int:
        return self.encoding + self.fusing + self.reading

    def to_dict(self) -> dict[str, Any]:
        more = {"parameters": self.parameters, "trained_share": self.share, "multiply_adds": self.multiply_adds}
        return asdict(self) | more


def cost(model: LabModel, question: str = QUESTION) -> Cost:
    """What one question asked of one picture takes. The model itself is not touched."""
    copied = copy.deepcopy(model).eval()
    names = {module: name for name, module in copied.named_modules() if name}
    products: dict[str, int] = {}

    def hear(module: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        if found := _products(module, given, made):
            products[names[module]] = products.get(names[module], 0) + found

    handles = [module.register_forward_hook(hear) for module in names]
    sites = {module: Site(name, 0, "self", (), ()) for module, name in names.items()}
    recorder = Recorder(sites, np.zeros(0), {}, whole=True)
    try:
        with torch.no_grad(), recording(recorder):
            copied(torch.zeros(1, PIXELS, PIXELS, 3, dtype=torch.uint8), encode([question]))
    finally:
        for handle in handles:
            handle.remove()
    looking = {name: 2 * flow.weights.numel() * flow.value.shape[-1] for name, flow in recorder.flows.items()}

    def within(*parts: str) -> int:
        return sum(count for found in (products, looking) for name, count in found.items() if name.startswith(parts))

    sizes = {name: _count(part) for name, part in copied.named_children()}
    unlearnt = sum(_count(module.out_proj) for module in copied.modules() if isinstance(module, TwoPools))
    return Cost(
        encoders=sizes["vision"] + sizes["text"],
        fusion=sizes["fusion"],
        readout=sizes["readout"],
        trained=sizes["fusion"] + sizes["readout"] - unlearnt,
        encoding=within("vision", "text"),
        fusing=within("fusion"),
        reading=within("readout"),
        attention=sum(looking.values()),
        words=encode([question]).shape[1],
    )


def milliseconds(
    model: LabModel, question: str = QUESTION, passes: int = PASSES, progress: Progress | None = None
) -> tuple[float, float, float]:
    """Median time of a question on one thread of this machine, as it is busy now, and the middle half of the times."""
    progress = progress or Progress()
    pixels, ids = torch.zeros(1, PIXELS, PIXELS, 3, dtype=torch.uint8), encode([question])
    taken = []
    with torch.inference_mode(), one_thread("openmp"):
        model(pixels, ids)
        for _ in progress.over(range(passes), passes, "pass"):
            began = time.perf_counter()
            model(pixels, ids)
            taken.append(1000 * (time.perf_counter() - began))
    low, middle, high = statistics.quantiles(taken, n=4)
    return middle, low, high


def _products(module: nn.Module, given: tuple[Any, ...], made: Any) -> int:
    """The multiply-adds of one module by itself, of one pass."""
    if isinstance(module, nn.Linear):
        return int(made.numel()) * module.in_features
    if isinstance(module, nn.Conv2d):
        return int(made.numel()) * module.in_channels * module.kernel_size[0] * module.kernel_size[1]
    if isinstance(module, ContrastiveReadout) and isinstance(made, Tensor):
        return len(made) * len(ANSWERS) * module.answers.shape[1]  # one cosine an answer
    return 0


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
