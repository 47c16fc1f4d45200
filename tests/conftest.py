"""One thread for torch, because the tests share their cores, and no hub: nothing in the tests may need a network."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"

import importlib.util
import runpy
import shutil
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
GROUPED = "a folder"  # stands for `grouped_folder` among the names of lab models
# What the processor of a chat model brings; told apart from the family's own prompt by its first word.
CHAT = (
    "{% for turn in messages %}USER : {% for part in turn['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %} ASSISTANT:"
)


def pytest_generate_tests(metafunc):
    """`any_model`: one run per lab model, and one for an untrained LLaVA in a folder of its own."""
    if "any_model" in metafunc.fixturenames:
        import vlmlens  # not at the top: tests that need no model need no torch either

        names = [listed.name for listed in vlmlens.models.lab_models()]
        if metafunc.module.__name__.endswith("test_laws"):  # what all models promise, planted ones promise, too
            names += ["planted:text-overrides", "planted:additive"]
        metafunc.parametrize("any_model", [*names, GROUPED], indirect=True, ids=[*names, "folder"])


@pytest.fixture(scope="session")
def script():
    """A script of benchmarks/ as a module, one for all tests: script("compression")."""

    @cache
    def of(name):
        spec = importlib.util.spec_from_file_location(f"{name}_script", ROOT / "benchmarks" / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # its dataclasses look there for their own types
        spec.loader.exec_module(module)
        return module

    return of


@pytest.fixture(scope="session")
def model(grouped_folder):
    """A model by name, loaded once for all tests: model("lab:concat")."""
    import vlmlens

    return cache(lambda name: vlmlens.load(str(grouped_folder) if name == GROUPED else name))


@pytest.fixture
def any_model(request, model):
    return model(request.param)


@pytest.fixture
def knows(any_model):
    """The model of `any_model`, where it was trained to answer and can bind what it sees; others are left out."""
    if not any_model.info.lab:
        pytest.skip("an untrained model knows no colours")
    if any_model.info.family == "lab" and any_model.name != "lab:llava" and any_model.wiring.ceiling:
        pytest.skip("a model that pools before picture and words meet does not tell which thing has which colour")
    return any_model


@pytest.fixture
def concat(model):
    return model("lab:concat")


@pytest.fixture
def llava(model):
    return model("lab:llava")


@pytest.fixture(scope="session")
def grouped_folder(tmp_path_factory):
    """An untrained LLaVA with grouped queries and a chat template, saved with its processor."""
    import torch
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

    from vlmlens.lab.llava import make_processor

    processor = make_processor()
    processor.chat_template = CHAT
    words = processor.tokenizer
    torch.manual_seed(0)
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=48,
            patch_size=8,
            projection_dim=32,
        ),
        text_config=LlamaConfig(
            vocab_size=len(words),
            hidden_size=48,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=6,
            num_key_value_heads=2,
            initializer_range=0.2,
            pad_token_id=words.pad_token_id,
            bos_token_id=words.bos_token_id,
            eos_token_id=words.eos_token_id,
        ),
        image_token_id=words.convert_tokens_to_ids("<image>"),
        image_seq_length=36,
        vision_feature_layer=-1,
    )
    model = LlavaForConditionalGeneration(config).eval()
    with torch.no_grad():
        for parameter in model.model.vision_tower.parameters():
            parameter.mul_(8)  # as initialised, this tower says nearly the same of every picture
    model.generation_config.eos_token_id = list(range(len(words)))  # an untrained model would go on for ever
    folder = tmp_path_factory.mktemp("grouped")
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def sharded(grouped_folder, tmp_path_factory):
    """The folder's model in several files."""
    from transformers import LlavaForConditionalGeneration

    folder = shutil.copytree(grouped_folder, tmp_path_factory.mktemp("sharded") / "model")
    (folder / "model.safetensors").unlink()
    model = LlavaForConditionalGeneration.from_pretrained(grouped_folder)
    model.save_pretrained(folder, max_shard_size="100KB")
    assert len(list(folder.glob("model-*.safetensors"))) > 2
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty Hugging Face cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


@pytest.fixture
def hub(sharded, home, monkeypatch):
    """A hub that can be reached, with one model: see hub.py."""
    from huggingface_hub import constants, file_download
    from huggingface_hub.utils import close_session

    hub = runpy.run_path(str(Path(__file__).with_name("hub.py")))["Hub"]({"org/tiny-llava": {"main": sharded}})
    address = hub.start()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "ENDPOINT", address)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    monkeypatch.setattr(file_download.time, "sleep", lambda _seconds: None)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    close_session()  # which remembers proxies
    yield hub
    hub.stop()
    close_session()


@pytest.fixture(scope="session")
def scenes():
    """Ten scenes, every one with a single circle, in different colours and places."""
    from vlmlens.lab.scenes import COLORS, Scene, Thing

    rng = np.random.default_rng(0)
    found = []
    for number in range(10):
        one, two, three = (int(cell) for cell in rng.permutation(9)[:3])
        color = COLORS[number % 7]
        things = (
            Thing(one, color, "circle", "large"),
            Thing(two, COLORS[(number + 3) % 8], "square", "small"),
            Thing(three, COLORS[(number + 5) % 8], "star", "large"),
        )
        found.append(Scene(things, number))
    return found


@pytest.fixture(scope="session")
def make_trace():
    """A trace built by hand: bos, two words, `grid` image tokens, two question words; every row uniform.

    make_trace(attention=...) sets the last row's [layer, head, position]; other keywords replace fields of the trace.
    """
    from dataclasses import replace

    from vlmlens.lab.draw import draw
    from vlmlens.lab.scenes import Scene
    from vlmlens.picture import encode_png
    from vlmlens.trace import Answer, Grid, Place, RowRecord, Segment, Trace

    def build(attention=None, layers=2, heads=3, grid=(2, 3), width=4, competes=True, **changes):
        cells = grid[0] * grid[1]
        segments = np.array(
            [Segment.BOS, *[Segment.INSTRUCTION] * 2, *[Segment.IMAGE] * cells, *[Segment.QUESTION] * 2], np.int8
        )
        length = len(segments)
        if attention is None:
            attention = np.full((layers, heads, length), 1 / length)
        layers, heads = attention.shape[:2]
        rng = np.random.default_rng(layers)
        parts = rng.normal(size=(layers, 1, len(Segment), width)).astype(np.float32)
        parts[:, :, Segment.ANSWER] = 0
        record = RowRecord(
            positions=(length - 1,),
            attention=tuple(attention[:, :, None].astype(np.float32)),
            visible=tuple(np.ones((1, length), bool) for _ in range(layers)),
            parts=tuple(parts),
            update=tuple(parts.sum(axis=2)),
        )
        trace = Trace(
            model="by hand",
            revision="0",
            question="what color is the circle",
            picture=encode_png(draw(Scene(), 48)),
            picture_hash="0" * 64,
            tokens=tuple(f"token {i}" for i in range(length)),
            segments=segments,
            grid=Grid.regular(grid, range(3, 3 + cells), (60, 40)),
            places=tuple(Place(layer, "self", f"layer {layer + 1}", competes) for layer in range(layers)),
            answers=(Answer("red", 0.75, 0), Answer("blue", 0.25, 1)),
            text="red",
            rows={"last": record},
            peaks=np.ones((layers, length), np.float32),
        )
        return replace(trace, **changes)

    return build


# Tiny untrained models of the real classes, a kind each; see tests/models/tiny.py.


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """The folder of a family's tiny model."""

    tiny = runpy.run_path(str(Path(__file__).parent / "models" / "tiny.py"))

    @cache
    def of(kind):
        folder = tmp_path_factory.mktemp(kind)
        tiny["build"](kind, folder)
        return folder

    return of


@pytest.fixture(scope="session")
def load(folders):
    """A family's tiny model, shared by all tests, which leave it as it is. It has passed `VLM.check`."""
    import vlmlens

    return cache(lambda kind: vlmlens.load(str(folders(kind))))


@pytest.fixture(scope="session")
def plain(folders):
    """The same in plain transformers, whose eager attention is the truth."""

    import transformers

    from vlmlens.models.families import ROWS

    @cache
    def of(kind):
        named = getattr(transformers, ROWS[kind].architecture or "AutoModelForImageTextToText")
        return named.from_pretrained(folders(kind), attn_implementation="eager").eval()

    return of


@pytest.fixture(scope="session")
def pictures():
    """A square one, a wide one, a tall one."""
    from PIL import Image

    rng = np.random.default_rng(0)
    shapes = ((60, 60), (50, 110), (120, 50))
    return [Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


@pytest.fixture(scope="session")
def hooks():
    """hooks(vlm): the modules that have any, kind by kind."""
    kinds = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks")
    return lambda vlm: [[name for name, module in vlm.model.named_modules() if getattr(module, k)] for k in kinds]
