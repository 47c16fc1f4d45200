"""How fast does this device multiply matrices? Measured, so that operations can be told as seconds.

found = measure()
found.seconds(9e12)   # of so many operations, median and the middle half
"""

import statistics
import time
from dataclasses import dataclass

import torch

from vlmlens.models.device import devices
from vlmlens.progress import Progress

SIDE = 1024  # of the square matrices: large enough that reading them costs little beside multiplying
SECONDS = 2.0  # of measuring
LEAST, MOST = 8, 400  # repetitions
LEAVES_OUT = (
    "It is the rate of large matrix products alone. Left out: reading the weights and the cache from memory, which "
    "decides how fast each further token of an answer comes; softmax, norms and activations; the first pass's warm-up; "
    "and whatever else this machine does at the time. A real pass takes longer."
)


@dataclass(frozen=True)
class Rate:
    """Operations a second, median and middle half of the repetitions."""

    device: str
    dtype: str
    threads: int
    median: float
    low: float  # a quarter of the repetitions were slower
    high: float
    repetitions: int

    def seconds(self, flops: float) -> tuple[float, float, float]:
        """Of so many operations: at the median rate, at the faster and at the slower end of the middle half."""
        return flops / self.median, flops / self.high, flops / self.low

    def sentence(self) -> str:
        threads = f", {self.threads} thread{'s' * (self.threads > 1)}" if self.device == "cpu" else ""
        return (
            f"{self.device} multiplies {self.dtype} matrices at {self.median / 1e9:,.0f} GFLOP/s "
            f"(middle half {self.low / 1e9:,.0f} to {self.high / 1e9:,.0f}, {self.repetitions} products{threads})"
        )


def measure(
    device: torch.device | None = None,
    dtype: torch.dtype | None = None,
    progress: Progress | None = None,
    seconds: float = SECONDS,
    side: int = SIDE,
) -> Rate:
    """Products of two square matrices, for so many seconds; by default on the best device, float32 on a CPU.

    Raises Cancelled.
    """
    device = device or devices()[0]
    dtype = dtype or (torch.float32 if device.type == "cpu" else torch.bfloat16)
    progress = progress or Progress()
    one, other = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))
    operations = 2 * side**3
    rates: list[float] = []
    _once(one, other)  # the first allocates and chooses how
    began = time.perf_counter()
    while len(rates) < LEAST or (time.perf_counter() - began < seconds and len(rates) < MOST):
        progress.step(min(1.0, (time.perf_counter() - began) / seconds), f"product {len(rates) + 1}")
        rates.append(operations / _once(one, other))
    low, middle, high = statistics.quantiles(rates, n=4)
    return Rate(device.type, str(dtype).removeprefix("torch."), torch.get_num_threads(), middle, low, high, len(rates))


def _once(one: torch.Tensor, other: torch.Tensor) -> float:
    """Seconds of one product."""
    began = time.perf_counter()
    found = one @ other
    if found.is_cuda:
        torch.cuda.synchronize(found.device)
    elif found.device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter() - began
