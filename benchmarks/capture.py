"""What watching costs: lab:llava, one picture, one question; medians of interleaved runs on one thread.

Rivals: the same forward pass with nothing watched, and eager attention with output_attentions=True.
"""

import statistics
import time
from collections.abc import Callable

import torch
from transformers import AutoModelForImageTextToText

import vlmlens
from vlmlens.lab.draw import render
from vlmlens.lab.sample import take
from vlmlens.lab.weights import LabName
from vlmlens.trace import Watch

RUNS = 60


def main() -> None:
    torch.set_num_threads(1)
    vlm = vlmlens.load("lab:llava")
    item = take("test", 0, 1)[0]
    prepared = vlm.prepare(render(item.scene), item.question.text)
    eager = AutoModelForImageTextToText.from_pretrained(LabName("llava").path, attn_implementation="eager").eval()

    def everything() -> None:
        with torch.inference_mode():
            eager(**prepared.inputs, use_cache=False, output_attentions=True)

    contestants: dict[str, Callable[[], object]] = {
        "plain forward": lambda: vlm.run(prepared, None),
        "last row watched": lambda: vlm.run(prepared, Watch(("last",), contributions=False)),
        "last row and contributions": lambda: vlm.run(prepared, Watch(("last",))),
        "last, question, contributions": lambda: vlm.run(prepared, Watch()),
        "eager, output_attentions": everything,
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for run in range(RUNS + 5):
        for name, contestant in contestants.items():
            began = time.perf_counter()
            contestant()
            if run >= 5:
                seconds[name].append(time.perf_counter() - began)
    plain = statistics.median(seconds["plain forward"])
    print(f"lab:llava, {prepared.length} tokens, median of {RUNS}")
    for name, values in seconds.items():
        print(
            f"  {name:32} {1000 * statistics.median(values):7.2f} ms   {statistics.median(values) / plain:5.2f} x plain"
        )


if __name__ == "__main__":
    main()
