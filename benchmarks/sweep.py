"""What a masking sweep costs: a LLaVA of 32 layers, against one whole forward pass with hooks for each layer.

python benchmarks/sweep.py                   # times and peak memory, about 5 minutes on one core
python benchmarks/sweep.py --alone ours zero # what the other process runs whose memory is measured

The model is untrained: transformers' own classes, 144 image tokens, sizes that a CPU can bear. The rival is the loop that
one would write: the plain model once for each layer, a hook on that layer, the answer's probability read from the end.
Knock-outs of the rival are an additive mask, -inf from the last row to the picture, handed to one attention module.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

import vlmlens
from vlmlens.attention import MODES, Mode, masking_sweep
from vlmlens.attention import masking as parts
from vlmlens.lab.draw import draw
from vlmlens.lab.llava import make_processor
from vlmlens.lab.sample import take
from vlmlens.models import VLM, as_image
from vlmlens.models.inside import branched
from vlmlens.trace import Segment

LAYERS, SIDE, PATCH, WIDTH, HIDDEN, HEADS = 32, 192, 16, 256, 704, 8
RUNS = 5


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


def naive(model: LlavaForConditionalGeneration, vlm: VLM, mode: Mode) -> tuple[float, np.ndarray]:
    """The loop: probability of the clean pass's answer before and with each layer masked, [layer]."""
    picture, question = asked()
    prepared = vlm.prepare(as_image(picture), question)
    image = torch.from_numpy(np.flatnonzero(prepared.segments == Segment.IMAGE))

    def zero(_module: Any, args: Any, kwargs: Any) -> Any:
        states = (args[0] if args else kwargs["hidden_states"]).clone()
        states[:, image] = 0
        return ((states, *args[1:]), kwargs) if args else (args, kwargs | {"hidden_states": states})

    def block(_module: Any, args: Any, kwargs: Any) -> Any:
        length = prepared.length
        mask = torch.full((length, length), -torch.inf).triu(1)
        mask[-1, image] = -torch.inf
        return args, kwargs | {"attention_mask": mask[None, None]}

    found = []
    with torch.inference_mode():
        clean = model(**prepared.inputs, use_cache=False, logits_to_keep=1).logits[0, -1].double().softmax(-1)
        best = int(clean.argmax())
        for layer in model.model.language_model.layers:
            module, hook = (layer, zero) if mode == "zero" else (layer.self_attn, block)
            handle = module.register_forward_pre_hook(hook, with_kwargs=True)
            try:
                logits = model(**prepared.inputs, use_cache=False, logits_to_keep=1).logits[0, -1]
            finally:
                handle.remove()
            found.append(float(logits.double().softmax(-1)[best]))
    return float(clean[best]), np.array(found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as f:
        folder = build(Path(f))
        vlm = vlmlens.load(str(folder), device="cpu")
        plain = LlavaForConditionalGeneration.from_pretrained(folder, attn_implementation="sdpa").eval()
        pic, q = asked()
        prepared = vlm.prepare(as_image(pic), q)
        print(prepared.length, prepared.grid.shape, vlm.info.parameters, vlm.branches_at_once(prepared))
        for mode in MODES:
            t = time.time()
            before, found = naive(plain, vlm, mode)
            a = time.time() - t
            t = time.time()
            s = masking_sweep(vlm, pic, q, mode=mode)
            b = time.time() - t
            masks = parts._masks(vlm, prepared, mode, parts.ROUTES["image to last"], 1)
            t = time.time()
            c, m = branched(vlm, prepared, list(masks.values()))
            d = time.time() - t
            t = time.time()
            n = parts.noise_floor(vlm, pic, q, int(c.argmax()))
            e = time.time() - t
            print(
                mode,
                "naive",
                a,
                "sweep",
                b,
                "branched",
                d,
                "noise",
                e,
                np.abs(s.after[0] - found).max(),
                before - s.before[0],
                np.ptp(found),
                before,
            )
