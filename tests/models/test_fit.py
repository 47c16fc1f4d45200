"""What a model needs is counted before it is loaded; what does not fit is refused with a way out."""

import pytest
import torch
from transformers import AutoConfig

from vlmlens.models import ModelError, fit, load

CPU = torch.device("cpu")


@pytest.fixture
def config(grouped_folder):
    return AutoConfig.from_pretrained(grouped_folder)


def test_the_count_is_that_of_the_loaded_model(config, grouped_folder):
    found = fit.fit(fit.count_parameters(config), CPU, torch.bfloat16)
    loaded = load(str(grouped_folder))
    assert found.parameters == loaded.info.parameters
    tensors = (*loaded.model.parameters(), *loaded.model.buffers())
    assert loaded.info.memory == sum(t.numel() * t.element_size() for t in tensors)
    assert found.needed == 2 * found.parameters
    assert found.fits
    assert found.free is not None
    assert found.free > 1e6


def test_a_cpu_without_room_for_float32_takes_the_stored_precision(config, monkeypatch):
    count = fit.count_parameters(config)
    config.dtype = torch.bfloat16
    monkeypatch.setattr(fit, "free_memory", lambda _device: 3 * count)
    assert fit.choose_dtype(config, CPU, None) == torch.bfloat16
    monkeypatch.setattr(fit, "free_memory", lambda _device: 5 * count)
    assert fit.choose_dtype(config, CPU, None) == torch.float32
    monkeypatch.setattr(fit, "free_memory", lambda _device: None)  # a system that does not say
    assert fit.choose_dtype(config, CPU, torch.float16) == torch.float16


def test_what_does_not_fit_is_refused_with_numbers_and_a_way_out(config, grouped_folder, monkeypatch):
    count = fit.count_parameters(config)
    monkeypatch.setattr(fit, "free_memory", lambda _device: 3 * count)
    with pytest.raises(ModelError, match=r"will not fit.*float32 on cpu.*dtype bfloat16 would fit"):
        load(str(grouped_folder), dtype="float32")
    monkeypatch.setattr(fit, "free_memory", lambda _device: count)
    with pytest.raises(ModelError, match="take a smaller model"):
        load(str(grouped_folder))
