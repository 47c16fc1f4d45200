"""What a masking sweep costs: a LLaVA of 32 layers, against one whole forward pass with hooks for each layer.

python benchmarks/sweep.py      # about 4 minutes on one core

The model is untrained: transformers' own classes, 144 image tokens, sizes that a CPU can bear. The rival is the loop
that one would write: the plain model once for each layer, a hook on that layer, the answer's probability read from the
end. Its knock-outs are an additive mask, -inf from the last row to the picture, handed to one attention module. Peak
memory is the largest resident set of a process of its own for each contestant (Linux).
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import vlmlens
from vlmlens.attention import MODES, Mode, masking, masking_sweep
from vlmlens.lab.draw import draw
from vlmlens.lab.llava import make_processor
from vlmlens.lab.sample import take
from vlmlens.models import VLM, as_image

LAYERS, SIDE, PATCH, WIDTH, HIDDEN, HEADS = 32, 192, 16, 256, 704, 8
RUNS = 3
AGREE = 1e-4


def build(folder: Path) -> Path:
    processor = make_processor()
    images = processor.image_processor
    images.size, images.crop_size = {"shortest_edge": SIDE}, {"height": SIDE, "width": SIDE}
    processor.patch_size = PATCH
    words = processor.tokenizer
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=WIDTH,
            intermediate_size=4 * WIDTH,
            num_hidden_layers=6,
            num_attention_heads=HEADS,
            image_size=SIDE,
            patch_size=PATCH,
            projection_dim=WIDTH,
        ),
        text_config=LlamaConfig(
            vocab_size=len(words),
            hidden_size=WIDTH,
            intermediate_size=HIDDEN,
            num_hidden_layers=LAYERS,
            num_attention_heads=HEADS,
            num_key_value_heads=HEADS,
            initializer_range=0.08,
            pad_token_id=words.pad_token_id,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
        ),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        image_seq_length=(SIDE // PATCH) ** 2,
        vision_feature_layer=-1,
    )
    model = LlavaForConditionalGeneration(config).eval()
    model.generation_config.eos_token_id = list(range(len(words)))
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def asked() -> tuple[Any, str]:
    item = take("test", 0, 1)[0]
    return draw(item.scene, 336), item.question.text


def naive(model: LlavaForConditionalGeneration, inputs: dict[str, torch.Tensor], mode: Mode) -> np.ndarray:
    """The loop: probability of the clean pass's answer, unmasked and then with each layer masked, [1 + layer]."""
    image = (inputs["input_ids"][0] == model.config.image_token_id).nonzero().squeeze(1)
    length = inputs["input_ids"].shape[1]

    def zero(_module: Any, args: Any, kwargs: Any) -> Any:
        states = (args[0] if args else kwargs["hidden_states"]).clone()
        states[:, image] = 0
        return ((states, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": states})

    def block(_module: Any, args: Any, kwargs: Any) -> Any:
        mask = torch.full((length, length), -torch.inf).triu(1)
        mask[-1, image] = -torch.inf
        return args, kwargs | {"attention_mask": mask[None, None]}

    def answer() -> torch.Tensor:
        logits = model(**inputs, use_cache=False, logits_to_keep=1).logits[0, -1]
        return logits.double().softmax(-1)

    with torch.inference_mode():
        clean = answer()
        best = int(clean.argmax())
        found = [float(clean[best])]
        for layer in model.model.language_model.layers:
            module, hook = (layer, zero) if mode == "zero" else (layer.self_attn, block)
            handle = module.register_forward_pre_hook(hook, with_kwargs=True)
            try:
                found.append(float(answer()[best]))
            finally:
                handle.remove()
    return np.array(found)


def ours(vlm: VLM, mode: Mode) -> np.ndarray:
    sweep = masking_sweep(vlm, *asked(), mode=mode)
    return np.concatenate([sweep.before, sweep.after[0]])


def masked_passes(vlm: VLM, mode: Mode) -> None:
    """A sweep without its noise floor, which the loop does not measure."""
    with mock.patch.object(masking, "NOISE_ITEMS", 0):
        ours(vlm, mode)


def plain_model(folder: Path) -> LlavaForConditionalGeneration:
    return LlavaForConditionalGeneration.from_pretrained(folder, attn_implementation="sdpa").eval()


def alone(who: str, mode: Mode, folder: Path) -> None:
    """One contestant in a process of its own: its memory after one plain pass, and at its peak."""
    inputs = torch.load(folder / "inputs.pt")
    work: Callable[[], object]
    if who == "ours":
        vlm = vlmlens.load(str(folder), device="cpu")
        model, work = vlm.model, lambda: ours(vlm, mode)  # type: ignore[attr-defined]
    else:
        model = plain_model(folder)
        work = lambda: naive(model, inputs, mode)  # noqa: E731
    with torch.inference_mode():
        model(**inputs, use_cache=False, logits_to_keep=1)
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading
    before = resident("VmRSS")
    work()
    print(json.dumps([before, resident("VmHWM")]))


def resident(what: str) -> float:
    """Memory of this process in MB; getrusage would count what the process that started it held."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[what].split()[0]) / 1024


def memory(who: str, mode: Mode, folder: Path) -> tuple[float, float]:
    """Resident memory in MB: after one plain pass, and at the peak of the contestant."""
    command = [sys.executable, __file__, "--alone", who, mode, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, after = json.loads(done.stdout.splitlines()[-1])
    return before, after


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--alone", nargs=3, metavar=("WHO", "MODE", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.alone:
        who, mode, where = arguments.alone
        alone(who, mode, Path(where))
        return
    with tempfile.TemporaryDirectory() as where:
        folder = build(Path(where))
        compare(folder)


def compare(folder: Path) -> None:
    vlm, model = vlmlens.load(str(folder), device="cpu"), plain_model(folder)
    picture, question = asked()
    prepared = vlm.prepare(as_image(picture), question)
    inputs = dict(prepared.inputs)
    torch.save(inputs, folder / "inputs.pt")
    print(
        f"{LAYERS} layers, {prepared.length} tokens, {prepared.grid.cells} of them the picture's, "
        f"{vlm.info.parameters / 1e6:.0f} million parameters; one thread, processor time, median of {RUNS} interleaved"
    )
    for mode in MODES:
        difference = float(np.abs(ours(vlm, mode) - naive(model, inputs, mode)).max())
        assert difference < AGREE, f"the two disagree by {difference}"
        contestants: dict[str, Callable[[], object]] = {
            "loop of whole passes": partial(naive, model, inputs, mode),
            "masking_sweep": partial(ours, vlm, mode),
            "without its noise floor": partial(masked_passes, vlm, mode),
        }
        seconds: dict[str, list[float]] = {name: [] for name in contestants}
        for _ in range(RUNS):
            for name, contestant in contestants.items():
                began = time.process_time()
                contestant()
                seconds[name].append(time.process_time() - began)
        rival = statistics.median(seconds["loop of whole passes"])
        print(f"{mode}: largest difference of a probability {difference:.1e}")
        for name, values in seconds.items():
            middle = statistics.median(values)
            print(f"  {name:24} {middle:7.2f} s  ({min(values):.2f} to {max(values):.2f})  {middle / rival:.2f}")
        for who in ("loop", "ours"):
            before, after = memory(who, mode, folder)
            print(f"  peak memory, {who:5} {after:6.0f} MB, {after - before:4.0f} MB more than after one plain pass")


if __name__ == "__main__":
    main()
