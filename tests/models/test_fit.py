"""What a model needs is told before it is loaded; what does not fit is refused with what would."""

import runpy
import weakref
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import AutoConfig, LlavaConfig

from vlmlens.models import ModelError, device, fit, load, loading
from vlmlens.models.device import Precision, pick_precision
from vlmlens.models.families import FAMILIES

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
FLOAT, HALF = Precision(torch.float32), Precision(torch.bfloat16)
BUILDERS = runpy.run_path(str(Path(__file__).with_name("tiny.py")))["BUILDERS"]
SEVEN = LlavaConfig(  # of the shape of llava-1.5-7b
    vision_config={
        "model_type": "clip_vision_model",
        "hidden_size": 1024,
        "intermediate_size": 4096,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "image_size": 336,
        "patch_size": 14,
        "projection_dim": 768,
    },
    text_config={
        "model_type": "llama",
        "vocab_size": 32064,
        "hidden_size": 4096,
        "intermediate_size": 11008,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "dtype": "float16",
    },
    image_token_id=32000,
)
LONG = fit.Size(620, 3 * 336 * 336)


class Live(TorchDispatchMode):
    """The most bytes of tensors alive at once, but for those named."""

    def __init__(self, *known: torch.Tensor) -> None:
        super().__init__()
        self.known = {tensor.untyped_storage()._cdata for tensor in known}
        self.held: dict[int, list[int]] = {}  # storage -> views, bytes
        self.now = self.peak = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        for tensor in tree_leaves(found):
            if isinstance(tensor, torch.Tensor) and (key := tensor.untyped_storage()._cdata) not in self.known:
                if key not in self.held:
                    self.held[key] = [0, tensor.untyped_storage().nbytes()]
                    self.now += self.held[key][1]
                self.held[key][0] += 1
                weakref.finalize(tensor, self.drop, key)
        self.peak = max(self.peak, self.now)
        return found

    def drop(self, key: int) -> None:
        self.held[key][0] -= 1
        if not self.held[key][0]:
            self.now -= self.held.pop(key)[1]


@pytest.fixture
def config(grouped_folder):
    return AutoConfig.from_pretrained(grouped_folder)


@pytest.fixture
def free(monkeypatch):
    """free(cpu=..., cuda=...): bytes, on a machine with these devices."""

    def have(gpus: int = 1, **bytes_: int) -> None:
        found = [torch.device("cuda", n) for n in range(gpus if "cuda" in bytes_ else 0)]
        monkeypatch.setattr(fit, "devices", lambda: [*found, CPU])
        monkeypatch.setattr(fit, "free_memory", lambda device: bytes_.get(device.type))

    return have


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_and_cache_are_exact_in_every_family(name):
    model, processor = BUILDERS[name]()
    size = fit.picture_size(processor, FAMILIES[name], (60, 40))
    counted = fit.count(model.config)
    assert counted.total == sum(parameter.numel() for parameter in model.parameters())
    needed = fit.need(model.config, counted, size, FLOAT)
    assert needed.weights == sum(parameter.nbytes for parameter in model.parameters())
    inputs = processor(
        images=[Image.new("RGB", (60, 40))],
        text=[FAMILIES[name].prompt.format(question=fit.QUESTION)],
        return_tensors="pt",
        **FAMILIES[name].options,
    )
    inputs.pop("labels", None)
    with torch.inference_mode():
        cache = model(**inputs, use_cache=True).past_key_values
    held = sum(layer.keys.nbytes + layer.values.nbytes for layer in cache.layers)
    assert held == 4 * fit.cached(model.config, size.tokens)
    assert needed.cache == 4 * fit.cached(model.config, size.tokens + fit.NEW)
    assert size.pixels == inputs["pixel_values"].numel()


def test_what_a_pass_holds_is_that_of_a_real_one(tmp_path):
    runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "fit.py"))["make"](
        tmp_path, text=(128, 4, 352), vision=(128, 3, 384), words=500
    )
    vlm, picture = load(str(tmp_path), "cpu", "float32"), Image.new("RGB", fit.PICTURE)
    prepared = vlm.prepare(picture, "what color is the circle?")
    known = (*vlm.model.parameters(), *vlm.model.buffers(), *prepared.inputs.values())
    with Live(*known) as live:
        vlm.inspect(picture, "what color is the circle?")
    size = fit.picture_size(vlm.processor, vlm.family)
    needed = fit.need(vlm.model.config, fit.count(vlm.model.config), size, FLOAT)
    assert needed.cache + needed.activations == pytest.approx(live.peak, rel=0.15)


def test_seven_billion_are_counted_without_being_made():
    counted = fit.count(SEVEN)
    assert counted.total == 7_063_427_072
    needed = {bits: fit.need(SEVEN, counted, LONG, Precision(torch.bfloat16, bits)) for bits in (None, 8, 4)}
    assert needed[None].weights == 2 * counted.total
    assert needed[None].cache == (620 + fit.NEW) * 2**19  # half a MiB a token
    assert needed[None].weights > needed[8].weights > needed[4].weights > counted.total / 2
    assert needed[8].cache == needed[None].cache


def test_a_larger_picture_needs_more_where_the_family_shows_more_of_it():
    _, processor = BUILDERS["qwen2_vl"]()
    small, large = (fit.picture_size(processor, FAMILIES["qwen2_vl"], (side, side)) for side in (56, 112))
    assert small.tokens < large.tokens
    assert small.pixels < large.pixels


@pytest.mark.parametrize("name", FAMILIES)
def test_low_detail_is_offered_where_it_makes_fewer_tokens(name):
    model, processor = BUILDERS[name]()
    family, side = FAMILIES[name], (1200, 900)
    low = fit.small_size(processor, family, model.config, side)
    assert (low is None) == (family.detail is None)
    assert low is None or low.tokens <= fit.picture_size(processor, family, side).tokens


def test_a_cpu_without_room_for_float32_takes_the_stored_precision(config, free):
    config.dtype = torch.bfloat16
    counted = fit.count(config)
    size = fit.Size(100, 1)
    full, half = (fit.need(config, counted, size, each, on_cpu=True).total * fit.SPARE for each in (FLOAT, HALF))
    free(cpu=round((full + half) / 2))
    assert fit.choose(config, counted, size, CPU, None).precision == HALF
    free(cpu=round(full) + 1)
    assert fit.choose(config, counted, size, CPU, None).precision == FLOAT
    free()  # a system that does not say
    assert fit.choose(config, counted, size, CPU, HALF).fits


def test_what_does_not_fit_is_refused_with_numbers_and_a_way_out(grouped_folder, config, free):
    vlm = load(str(grouped_folder))
    size = fit.picture_size(vlm.processor, vlm.family)
    counted = fit.count(config)
    full, half = (fit.need(config, counted, size, each, on_cpu=True).total * fit.SPARE for each in (FLOAT, HALF))
    free(cpu=round((full + half) / 2))
    with pytest.raises(ModelError, match=r"will not fit.*float32 on cpu.*these would fit: dtype bfloat16"):
        load(str(grouped_folder), "cpu", "float32")
    free(cpu=1000)
    with pytest.raises(ModelError, match="take a smaller model"):
        load(str(grouped_folder), "cpu")


def test_only_what_would_fit_is_offered(free, monkeypatch):
    monkeypatch.setattr(fit, "bitsandbytes_lacks", lambda: "bitsandbytes accelerate")
    counted, small = fit.count(SEVEN), fit.Size(100, 3 * 100 * 100)

    def offered(precision: Precision = HALF, size: fit.Size = LONG, **bytes_: int) -> list[str]:
        free(**{device: round(gib * 2**30) for device, gib in bytes_.items()})
        tried = fit.fit(SEVEN, counted, size, precision, GPU)
        assert not tried.fits
        return list(fit.ways_out(SEVEN, counted, size, tried, small))

    assert offered(FLOAT, cuda=16, cpu=4)[0] == "dtype bfloat16"
    eight, four = (f"dtype {bits}bit (first `pip install bitsandbytes accelerate`)" for bits in (8, 4))
    assert offered(cuda=10, cpu=4) == [eight, four]
    assert offered(cuda=7, cpu=4) == [four]
    assert offered(cuda=4, cpu=20) == ["device cpu in float16"]
    assert offered(cuda=4, cpu=64) == ["device cpu in float32"]
    assert offered(cuda=4, cpu=4) == []
    assert "detail low (100 tokens in place of 20000)" in offered(size=fit.Size(20000, 1), cuda=16, cpu=4)
    monkeypatch.setattr(fit, "bitsandbytes_lacks", lambda: "")
    assert offered(cuda=7, cpu=4) == ["dtype 4bit"]


def test_several_gpus_take_together_what_one_cannot(free, monkeypatch):
    counted = fit.count(SEVEN)
    free(gpus=2, cuda=10 * 2**30, cpu=2**30)
    tried = fit.fit(SEVEN, counted, LONG, HALF, GPU)
    monkeypatch.setattr(fit, "find_spec", lambda _name: None)
    with pytest.raises(ModelError, match="pip install accelerate"):
        fit.spread_over(tried, GPU)
    monkeypatch.setattr(fit, "find_spec", lambda _name: object())
    spread = fit.spread_over(tried, GPU)
    assert spread.fits
    assert loading.placement(spread, GPU, FAMILIES["llava"])["device_map"] == "auto"
    assert fit.spread_over(tried, CPU) is None
    free(gpus=1, cuda=10 * 2**30)
    assert fit.spread_over(tried, GPU) is None
    free(gpus=2, cuda=5 * 2**30)
    assert fit.spread_over(tried, GPU) is None


def test_fewer_bits_say_what_they_need(monkeypatch):
    with pytest.raises(ModelError, match="needs a CUDA GPU"):
        pick_precision("8bit", CPU)
    monkeypatch.setattr(device, "find_spec", lambda name: None if name == "bitsandbytes" else object())
    with pytest.raises(ModelError, match="`pip install bitsandbytes`"):
        pick_precision("4bit", GPU)
    monkeypatch.setattr(device, "find_spec", lambda _name: object())
    assert pick_precision("4bit", GPU) == Precision(torch.bfloat16, 4)


@pytest.mark.parametrize("bits", [8, 4])
def test_fewer_bits_leave_whole_what_contributions_and_answers_are_read_through(bits):
    found = fit.Fit(0, Precision(torch.bfloat16, bits), "cuda:0", fit.Need(0, 0, 0), None)
    told = loading.placement(found, GPU, FAMILIES["llava"])
    made = told["quantization_config"]
    assert (made.load_in_8bit, made.load_in_4bit) == (bits == 8, bits == 4)
    assert made.bnb_4bit_compute_dtype == told["dtype"] == torch.bfloat16
    assert told["device_map"] == {"": GPU}
    from transformers.quantizers.quantizers_utils import should_convert_module

    kept = ("lm_head", "model.language_model.layers.3.self_attn.o_proj", "model.vision.layers.0.attn.out_proj")
    assert not any(should_convert_module(name, made.llm_int8_skip_modules) for name in kept)
    assert should_convert_module("model.language_model.layers.3.self_attn.q_proj", made.llm_int8_skip_modules)


@pytest.mark.parametrize(("short", "full"), device.SHORT.items())
def test_short_names_of_precisions(short, full):
    assert pick_precision(short, CPU) == pick_precision(full, CPU) != None  # noqa: E711
