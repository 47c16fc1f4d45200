"""What listening costs: a LLaVA of 16 layers, hidden 512, against transformers' own SDPA and eager with all attention.

python benchmarks/capture.py      # about 10 minutes on one core

The model is untrained: transformers' own classes, prompts of 700 and of 2000 tokens, most of them the picture's. One
thread; processor time; contestants take turns, and every ratio is a median over rounds of a contestant against the
plain pass of its round. nnsight takes part where it is installed; it is no dependency. Memory: the peak of the resident
set less what was resident before (Linux), each contestant in a process of its own, median of passes.
"""

import argparse
import ctypes
import gc
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from sweep import resident
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import vlmlens
from vlmlens.lab.draw import draw
from vlmlens.lab.llava import make_processor
from vlmlens.lab.sample import take
from vlmlens.models.inside import split
from vlmlens.trace import Watch

LAYERS, WIDTH, HIDDEN, HEADS, PATCH = 16, 512, 1376, 8, 14
GRIDS = {700: 24, 2000: 42}  # tokens of the prompt: cells along a side of the picture
RUNS, MEMORY_RUNS, NEW = 5, 3, 16
PLAIN, ALL = "plain SDPA", "all rows, by segment"
NNSIGHT = "nnsight, last row of eager"
PASSES = (PLAIN, "nothing watched", "last row", "last row, contributions", ALL, "eager, output_attentions")
PASSES += (NNSIGHT,) if find_spec("nnsight") else ()
ANSWERS = (PLAIN, "nothing watched", "every step", "every step, contributions", "eager, output_attentions")
WATCHES = {
    "nothing watched": None,
    "last row": Watch(("last",), contributions=False),
    "last row, contributions": Watch(("last",)),
    "every step": Watch(("last", "answer"), contributions=False),
    "every step, contributions": Watch(("last", "answer")),
}


def build(folder: Path, length: int) -> None:
    """A model for pictures that become most of so many tokens."""
    side = PATCH * GRIDS[length]
    processor = make_processor()
    images = processor.image_processor
    images.size, images.crop_size = {"shortest_edge": side}, {"height": side, "width": side}
    processor.patch_size = PATCH
    words = processor.tokenizer
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=1,
            num_attention_heads=2,
            image_size=side,
            patch_size=PATCH,
            projection_dim=64,
        ),
        text_config=LlamaConfig(
            vocab_size=len(words),
            hidden_size=WIDTH,
            intermediate_size=HIDDEN,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            max_position_embeddings=4096,
            pad_token_id=words.pad_token_id,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
        ),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        image_seq_length=GRIDS[length] ** 2,
        vision_feature_layer=-1,
    )
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = None
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def contestant(who: str, what: str, folder: Path, length: int) -> Callable[[], object]:
    """Who does it (see PASSES and ANSWERS), and what: "pass" or "answer"."""
    if who in (ALL, *WATCHES):
        vlm = vlmlens.load(str(folder), device="cpu")
        ready = prepared(vlm, length)
        if who == ALL:
            return lambda: split(vlm, ready)
        if what == "pass":
            return lambda: vlm.run(ready, WATCHES[who])
        return lambda: vlm.say(ready, WATCHES[who], NEW)
    implementation = "sdpa" if who == PLAIN else {"text_config": "eager", "vision_config": "sdpa"}
    model = LlavaForConditionalGeneration.from_pretrained(folder, attn_implementation=implementation).eval()
    inputs = torch.load(folder / "inputs.pt")
    options: dict[str, Any] = {} if who == PLAIN else {"output_attentions": True}

    if who == NNSIGHT:
        return through_nnsight(model, inputs)

    def work() -> None:
        with torch.inference_mode():
            if what == "pass":
                model(**inputs, use_cache=False, logits_to_keep=1, **options)
            else:
                model.generate(**inputs, do_sample=False, max_new_tokens=NEW, return_dict_in_generate=True, **options)

    return work


def through_nnsight(model: Any, inputs: dict[str, Any]) -> Callable[[], object]:
    """The same rows, saved out of eager attention by nnsight's tracing."""
    from nnsight import NNsight

    traced = NNsight(model)

    def work() -> object:
        with torch.inference_mode():  # noqa: SIM117  nnsight reads the source of its own block
            with traced.trace(**inputs, use_cache=False, logits_to_keep=1):
                kept = list().save()
                for layer in traced.model.language_model.layers:
                    kept.append(layer.self_attn.output[1][:, :, -1])
        return kept

    return work


def prepared(vlm: Any, length: int) -> Any:
    """The picture, and a question of as many words as are left."""
    picture = draw(take("test", 0, 1)[0].scene, 336)
    words = length - vlm.prepare(picture, "the").length + 1
    ready = vlm.prepare(picture, "the " * words)
    assert ready.length == length, ready.length
    return ready


def alone(who: str, what: str, folder: Path, length: int) -> None:
    """One contestant in a process of its own: by how many MB the resident set rises in one go."""
    work = contestant(who, what, folder, length)
    work()
    risen = []
    for _ in range(MEMORY_RUNS):
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        before = resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak until here
        work()
        risen.append(resident("VmHWM") - before)
    print(json.dumps(statistics.median(risen)))


def memory(who: str, what: str, folder: Path, length: int) -> float:
    command = [sys.executable, __file__, "--alone", who, what, str(folder), str(length)]
    exact = {"MALLOC_MMAP_THRESHOLD_": "65536"}  # a tensor's memory goes back to the system when the tensor does
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | exact)
    return float(json.loads(done.stdout.splitlines()[-1]))


def compare(what: str, names: tuple[str, ...], folder: Path, length: int) -> None:
    """Print one table."""
    works = {name: contestant(name, what, folder, length) for name in names}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for run in range(RUNS + 1):
        for name, work in works.items():
            began = time.process_time()
            work()
            if run:
                seconds[name].append(time.process_time() - began)
    del works
    held = {name: memory(name, what, folder, length) for name in names}
    told = "one pass" if what == "pass" else f"{NEW} tokens generated"
    print(f"\n| {length} tokens, {told} | s | x plain | from - to | MB | x plain |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, values in seconds.items():
        ratios = [ours / plain for ours, plain in zip(values, seconds[PLAIN], strict=True)]
        print(
            f"| {name} | {statistics.median(values):.3f} | {statistics.median(ratios):.3f} "
            f"| {min(ratios):.2f} - {max(ratios):.2f} | {held[name]:.1f} | {held[name] / held[PLAIN]:.3f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alone", nargs=4, metavar=("WHO", "WHAT", "FOLDER", "LENGTH"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.alone:
        who, what, where, length = arguments.alone
        alone(who, what, Path(where), int(length))
        return
    for length in GRIDS:
        with tempfile.TemporaryDirectory() as where:
            folder = Path(where)
            build(folder, length)
            torch.save(dict(prepared(vlmlens.load(where, device="cpu"), length).inputs), folder / "inputs.pt")
            compare("pass", PASSES, folder, length)
            if length == min(GRIDS):
                compare("answer", ANSWERS, folder, length)


if __name__ == "__main__":
    main()
