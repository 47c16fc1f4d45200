"""A hole is filled as Laplace's equation says: against a direct solution, and against what was there."""

import numpy as np
import pytest
from PIL import Image
from scipy import sparse
from scipy.sparse.linalg import spsolve

from vlmlens.perturb.inpaint import inpaint

Y, X = np.mgrid[:60, :70]
GRADIENT = np.stack([X * 3, Y * 4, X + 2 * Y], axis=-1).astype(np.uint8)
HOLES = {
    "box": (slice(12, 45), slice(20, 61)),
    "at the border": (slice(0, 30), slice(33, 70)),
    "near the border": (slice(1, 59), slice(1, 69)),
    "a pixel": (slice(7, 8), slice(9, 10)),
    "disc": (X - 35) ** 2 + (Y - 30) ** 2 < 21**2,
    "apart": np.isin(X // 10 + Y // 10, (1, 4, 9)),
}


def hole(name: str) -> np.ndarray:
    mask = np.zeros(X.shape, bool)
    mask[HOLES[name]] = True
    return mask


def solved(pixels: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Every equation written out: [pixel of the hole, channel]."""
    index = {place: number for number, place in enumerate(zip(*np.nonzero(mask), strict=True))}
    matrix, right = sparse.lil_array((len(index), len(index))), np.zeros((len(index), 3))
    for (y, x), number in index.items():
        for place in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
            if 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1]:
                matrix[number, number] += 1
                if place in index:
                    matrix[number, index[place]] = -1
                else:
                    right[number] += pixels[place]
    return spsolve(sparse.csc_array(matrix), right).reshape(-1, 3)


@pytest.mark.parametrize("name", sorted(set(HOLES) - {"at the border", "apart"}))
def test_a_gradient_is_continued(name):
    mask = hole(name)
    broken = GRADIENT.copy()
    broken[mask] = 255
    assert np.abs(np.asarray(inpaint(Image.fromarray(broken), mask)).astype(int) - GRADIENT).max() <= 3


@pytest.mark.parametrize("name", HOLES)
def test_it_is_the_solution_of_laplaces_equation(name):
    mask = hole(name)
    wave = 127 + 90 * np.sin(X / 9)[..., None] * np.cos(Y[..., None] / 7 + np.arange(3))
    pixels = wave.astype(np.uint8)
    found = np.asarray(inpaint(Image.fromarray(pixels), mask)).astype(int)
    np.testing.assert_array_equal(found[~mask], pixels[~mask])
    difference = np.abs(found[mask] - solved(pixels, mask))
    assert difference.mean() < 2
    assert difference.max() < 8


def test_what_was_in_the_hole_leaves_no_trace():
    mask = hole("disc")
    found = []
    for color in (0, 255):
        broken = GRADIENT.copy()
        broken[mask] = color
        found.append(np.asarray(inpaint(Image.fromarray(broken), mask)))
    np.testing.assert_array_equal(*found)


def test_no_hole_leaves_the_picture_and_nothing_but_hole_is_one_colour():
    image = Image.fromarray(GRADIENT)
    np.testing.assert_array_equal(np.asarray(inpaint(image, np.zeros(X.shape, bool))), GRADIENT)
    found = np.asarray(inpaint(image, np.ones(X.shape, bool))).reshape(-1, 3)
    np.testing.assert_array_equal(found, np.tile(GRADIENT.reshape(-1, 3).mean(axis=0).round(), (found.shape[0], 1)))


def test_a_huge_hole_is_still_continued(monkeypatch):
    monkeypatch.setattr("vlmlens.perturb.inpaint.LARGE", 500)
    broken = GRADIENT.copy()
    broken[hole("near the border")] = 0
    found = np.asarray(inpaint(Image.fromarray(broken), hole("near the border"))).astype(int)
    assert np.abs(found - GRADIENT).max() <= 8
