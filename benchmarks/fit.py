"""What a model is said to need before it is loaded, against the memory that a process was seen to take.

python benchmarks/fit.py     # prints a table; minutes, 2 GiB

Untrained LLaVAs of the real classes with a CLIP tower at 336 pixels. Each is loaded and asked in a process of its own:
the highest resident memory since it was loaded, less what the process held before, is what it took.
"""

import gc
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, Any]] = {  # width, layers and inner width of the decoder; then of the tower
    "145 million": {"text": (512, 8, 1408), "vision": (768, 12, 3072)},
    "174 million": {"text": (768, 12, 2048), "vision": (512, 12, 2048)},
    "310 million": {"text": (1024, 16, 2816), "vision": (768, 12, 3072), "words": 8000},
}
DTYPES = ("float32", "bfloat16")
QUESTION = "what is in the left half of the picture, and what color is it?"


def main() -> None:
    print("| model | dtype | said: weights | cache | pass | all | taken | said / taken |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, shape in SHAPES.items():
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), **shape)
            for dtype in DTYPES:
                command = [sys.executable, __file__, folder, dtype]
                ran = subprocess.run(command, capture_output=True, text=True, check=True)
                said = json.loads(ran.stdout.splitlines()[-1])
                total = said["weights"] + said["cache"] + said["activations"]
                parts = [said["weights"], said["cache"], said["activations"], total, said["taken"]]
                cells = [f"{part / 2**20:.0f} MiB" for part in parts]
                print(f"| {name} | {dtype} | {' | '.join(cells)} | {total / said['taken']:.3f} |", flush=True)


def make(folder: Path, text: tuple[int, int, int], vision: tuple[int, int, int], words: int = 32000) -> None:
    """An untrained LLaVA-1.5 with its processor, as a download would lie on a disk."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    from vlmlens.lab.llava import make_processor

    known = make_processor().tokenizer
    images = CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    processor = LlavaProcessor(
        images, known, patch_size=14, vision_feature_select_strategy="default", num_additional_image_tokens=1
    )
    width, layers, inner = vision
    tower = CLIPVisionConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        intermediate_size=inner,
        num_attention_heads=width // 64,
        image_size=336,
        patch_size=14,
    )
    width, layers, inner = text
    decoder = LlamaConfig(
        vocab_size=words,
        hidden_size=width,
        num_hidden_layers=layers,
        intermediate_size=inner,
        num_attention_heads=width // 64,
        pad_token_id=known.pad_token_id,
        bos_token_id=known.bos_token_id,
        eos_token_id=known.eos_token_id,
    )
    torch.manual_seed(0)
    token = known.convert_tokens_to_ids("<image>")
    config = LlavaConfig(vision_config=tower, text_config=decoder, image_token_id=token, image_seq_length=576)
    LlavaForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def measure(folder: str, dtype: str) -> dict[str, int]:
    """What is said of the model in `folder`, and what it takes."""
    from PIL import Image

    import vlmlens
    from vlmlens.models import fit
    from vlmlens.models.device import Precision, pick_precision
    from vlmlens.models.loading import read_family
    from vlmlens.models.processor import load_processor
    from vlmlens.models.source import find
    from vlmlens.ui.pool import give_back

    picture = Image.radial_gradient("L").resize(fit.PICTURE)
    small = vlmlens.load("lab:llava", "cpu")
    small.inspect(picture, "what color is the circle?")  # what the libraries keep is theirs
    files = find(folder)
    family, config = read_family(files)
    size = fit.picture_size(load_processor(folder, family.processor), family)
    import torch

    precision = pick_precision(dtype, torch.device("cpu")) or Precision(torch.float32)
    said = fit.need(config, fit.count(config), size, precision, on_cpu=True)
    give_back()
    before = status("VmRSS")
    vlm = vlmlens.load(folder, "cpu", dtype)
    give_back()
    Path("/proc/self/clear_refs").write_text("5")  # the highest seen begins anew
    vlm.inspect(picture, "what color is the circle?")
    taken = status("VmHWM") - before
    gc.collect()
    return {"weights": said.weights, "cache": said.cache, "activations": said.activations, "taken": taken}


def status(field: str) -> int:
    """Bytes, as Linux counts them for this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(*sys.argv[1:])))
    else:
        main()
