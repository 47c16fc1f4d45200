"""Whatever cannot be loaded ends in one clear line, and never in another kind of error."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

import vlmlens
from vlmlens.errors import ModelError


def refused(name) -> str:
    with pytest.raises(ModelError) as caught:
        vlmlens.load(str(name))
    message = str(caught.value)
    assert "\n" not in message
    assert 10 < len(message) < 600  # a line, not a page
    return message


@pytest.mark.parametrize(
    "name",
    [
        "lab:nothing",
        "lab:",
        "lab:concat@x",
        "lab:concat@99",
        "lab:concat@-1",
        "lab:llava@99",
        "lab:llava@x",
        "lab:concat@" + "9" * 5000,
        "lab:concat@1.5",
        "lab:CONCAT",
        "lab:../concat",
        "lab:concat@0@0",
    ],
)
def test_an_unknown_lab_model(name):
    refused(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "  ",
        "x",
        "org/name",
        "not/a/valid/name",
        "http://example.org/x",
        "x" * 5000,
        "nul\0byte",
        "two\nlines",
        "ünï/cödé",
        "-",
        "~",
    ],
)
def test_a_name_that_is_nowhere_without_a_network(name):
    refused(name)


def test_a_missing_folder(tmp_path):
    assert "no folder" in refused(tmp_path / "missing")
    assert "no folder" in refused("./missing")


def test_a_folder_that_holds_no_model(tmp_path):
    assert "config.json" in refused(tmp_path)


def test_a_file_instead_of_a_folder(tmp_path):
    (tmp_path / "model.safetensors").touch()
    assert "no folder" in refused(tmp_path / "model.safetensors")


@pytest.fixture
def folder(grouped_folder, tmp_path):
    """A whole model, to be broken."""
    return shutil.copytree(grouped_folder, tmp_path / "model")


def test_the_whole_model_loads(folder):
    assert vlmlens.load(str(folder)).info.family == "LLaVA-1.5"


def test_a_model_of_another_family_is_named(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
    message = refused(folder)
    assert "bert" in message
    assert "LLaVA-1.5" in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "{}",
        '{"model_type": 3}',
        '{"model_type": "no_such_thing"}',
        "[" * 100_000,
        '{"model_type": "llava", "text_config": 7}',
        "\udcff",
    ],
)
def test_a_config_that_is_none(folder, text):
    (folder / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    refused(folder)


def test_weights_that_could_run_code_are_not_read(folder):
    state = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(state, folder / "pytorch_model.bin")
    assert "safetensors" in refused(folder)


@pytest.mark.parametrize("keep", [0, 4, 100, -1000])
def test_weights_cut_short(folder, keep):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    refused(folder)


def test_weights_of_another_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    config["text_config"]["hidden_size"] = 96
    (folder / "config.json").write_text(json.dumps(config))
    refused(folder)


def test_weights_that_are_missing_in_part_are_not_made_up(folder):
    path = folder / "model.safetensors"
    state = load_file(path)
    del state[next(name for name in state if "layers.1.self_attn.q_proj" in name and "language" in name)]
    save_file(state, path, {"format": "pt"})
    refused(folder)


@pytest.mark.parametrize("name", ["tokenizer.json", "processor_config.json"])
def test_a_processor_that_is_missing_or_broken(folder, name):
    assert (folder / name).is_file()
    (folder / name).write_text("{")
    refused(folder)
    (folder / name).unlink()
    refused(folder)


def test_a_chat_template_that_cannot_be_followed(folder):
    (folder / "chat_template.jinja").write_text("{% for x in %}")
    refused(folder)


def test_a_model_whose_numbers_are_none_breaks_its_promise(folder):
    path = folder / "model.safetensors"
    state = load_file(path)
    state["lm_head.weight" if "lm_head.weight" in state else next(iter(state))][:] = torch.nan
    save_file(state, path, {"format": "pt"})
    refused(folder)


@pytest.mark.parametrize("options", [{"device": "toaster"}, {"device": "cuda:99"}, {"dtype": "int3"}])
def test_a_device_or_precision_that_is_not_there(folder, options):
    with pytest.raises(ModelError) as caught:
        vlmlens.load(str(folder), **options)
    assert next(iter(options.values())) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_lab_weights(tmp_path, monkeypatch):
    from vlmlens.lab import weights

    for file in weights.HOME.glob("*-0.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes()[:-1000])
    shutil.copy(weights.HOME / "encoders.safetensors", tmp_path)
    monkeypatch.setattr(weights, "HOME", tmp_path)
    refused("lab:concat")
    (tmp_path / "concat-0.safetensors").unlink()
    assert "make train" in refused("lab:concat")
