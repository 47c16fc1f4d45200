"""Tiny untrained models of the real classes, as `tests/models` builds them."""

import runpy
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import transformers
from PIL import Image

import vlmlens
from vlmlens.models.families import ROWS

TINY = runpy.run_path(str(Path(__file__).parents[1] / "models" / "tiny.py"))


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    @cache
    def of(kind):
        folder = tmp_path_factory.mktemp(kind)
        TINY["build"](kind, folder)
        return folder

    return of


@pytest.fixture(scope="session")
def load(folders):
    return cache(lambda kind: vlmlens.load(str(folders(kind))))


@pytest.fixture(scope="session")
def plain(folders):
    """The same in plain transformers, whose eager attention is the truth."""

    @cache
    def of(kind):
        named = getattr(transformers, ROWS[kind].architecture or "AutoModelForImageTextToText")
        return named.from_pretrained(folders(kind), attn_implementation="eager").eval()

    return of


@pytest.fixture(scope="session")
def pictures():
    """A square one, a wide one, a tall one."""
    rng = np.random.default_rng(0)
    shapes = ((60, 60), (50, 110), (120, 50))
    return [Image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8)) for shape in shapes]


@pytest.fixture(scope="session")
def hooks():
    """hooks(vlm): the modules that have any, kind by kind."""
    kinds = ("_forward_pre_hooks", "_forward_hooks", "_backward_hooks")
    return lambda vlm: [[name for name, module in vlm.model.named_modules() if getattr(module, k)] for k in kinds]
