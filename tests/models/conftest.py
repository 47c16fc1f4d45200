"""Tiny untrained models of the real classes, and what they are shown; see tiny.py.

A test file says by a fixture of its own, `kind`, of which rows of the table its promises are.
"""

import runpy
from pathlib import Path

import pytest

TINY = runpy.run_path(str(Path(__file__).with_name("tiny.py")))


@pytest.fixture
def vlm(kind, load):
    return load(kind)


@pytest.fixture(params=TINY["SHAPES"])
def shape(request):
    """Height, width, and how pixels of this shape come in."""
    return TINY["SHAPES"][request.param]
