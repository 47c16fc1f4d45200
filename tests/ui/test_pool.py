"""A model that is unloaded gives its memory back, in a process of its own: another test's garbage would count too."""

import subprocess
import sys

SCRIPT = """
import gc, sys, torch
from pathlib import Path
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration
from vlmlens.lab.llava import make_processor
from vlmlens.ui import pool

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

words = (processor := make_processor()).tokenizer
config = LlavaConfig(
    vision_config=CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=48, patch_size=8
    ),
    text_config=LlamaConfig(
        vocab_size=len(words), hidden_size=512, intermediate_size=4096, num_hidden_layers=6, num_attention_heads=8
    ),
    image_token_id=words.convert_tokens_to_ids("<image>"),
    image_seq_length=36,
    vision_feature_layer=-1,
)
LlavaForConditionalGeneration(config).save_pretrained(sys.argv[1])
processor.save_pretrained(sys.argv[1])
gc.freeze()
pool.get("lab:llava")  # what the libraries keep is theirs
pool.give_back()
before = resident()
vlm = pool.get(sys.argv[1])
weights, loaded = vlm.info.memory, resident()
del vlm
pool.drop(sys.argv[1])
print(weights, loaded - before, resident() - before)
"""


def test_an_unloaded_model_gives_its_memory_back(tmp_path):
    ran = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path)], capture_output=True, text=True, check=True)
    weights, held, left = map(int, ran.stdout.split())
    assert weights > 150e6
    assert held > 0.9 * weights
    assert left < 0.1 * weights
