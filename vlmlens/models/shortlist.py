"""Where to start: hub models of families that can be looked into, by the memory that they are comfortable in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Suggestion:
    """A row; licence and size as the model's card states them."""

    machine: str  # what it runs on in the precision it is stored in, asked about one picture
    name: str  # on the hub
    model_type: str  # its row in FAMILIES
    billions: float  # of parameters
    licence: str


SHORTLIST = (
    Suggestion("a laptop", "HuggingFaceTB/SmolVLM-256M-Instruct", "idefics3", 0.26, "Apache 2.0"),
    Suggestion("a laptop", "HuggingFaceTB/SmolVLM-500M-Instruct", "idefics3", 0.51, "Apache 2.0"),
    Suggestion("a GPU with 8 GB", "Qwen/Qwen2-VL-2B-Instruct", "qwen2_vl", 2.21, "Apache 2.0"),
    Suggestion("a GPU with 8 GB", "Qwen/Qwen3-VL-2B-Instruct", "qwen3_vl", 2.13, "Apache 2.0"),
    Suggestion("a GPU with 8 GB", "google/paligemma-3b-mix-224@bfloat16", "paligemma", 2.92, "Gemma, gated"),
    Suggestion("a GPU with 24 GB", "llava-hf/llava-1.5-7b-hf", "llava", 7.06, "Llama 2 Community"),
    Suggestion("a GPU with 24 GB", "Qwen/Qwen2.5-VL-7B-Instruct", "qwen2_5_vl", 8.29, "Apache 2.0"),
    Suggestion("a GPU with 24 GB", "Qwen/Qwen3-VL-8B-Instruct", "qwen3_vl", 8.77, "Apache 2.0"),
    Suggestion("a GPU with 80 GB", "llava-hf/llava-1.5-13b-hf", "llava", 13.35, "Llama 2 Community"),
    Suggestion("a GPU with 80 GB", "Qwen/Qwen2.5-VL-32B-Instruct", "qwen2_5_vl", 33.45, "Apache 2.0"),
)
GIB = {"a laptop": 8, "a GPU with 8 GB": 8, "a GPU with 24 GB": 24, "a GPU with 80 GB": 80}
