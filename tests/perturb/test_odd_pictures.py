"""Odd pictures, read and changed: whatever `open_picture` lets in, every change takes."""

import io

import numpy as np
import pytest
from PIL import Image

from vlmlens.errors import PictureError
from vlmlens.perturb import PERTURBATIONS, Region, apply
from vlmlens.picture import open_picture

ALL = Region.box(0, 0, 1, 1)
DONOR = Image.new("RGB", (5, 9), "green")


def file(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def paletted() -> Image.Image:
    picture = Image.new("P", (13, 7))
    picture.putpalette([255, 0, 0, 0, 0, 255])
    picture.putdata([index % 2 for index in range(13 * 7)])
    return picture


ODD = {  # what it is, the file, and its upper left pixel as it must be read
    "all black": (file(Image.new("RGB", (16, 12))), (0, 0, 0)),
    "1x1": (file(Image.new("RGB", (1, 1), "red")), (255, 0, 0)),
    "a line": (file(Image.new("L", (1, 33), 7)), (7, 7, 7)),
    "animated GIF": (
        file(Image.new("RGB", (9, 9), "red"), "GIF", save_all=True, append_images=[Image.new("RGB", (9, 9), "blue")]),
        (255, 0, 0),
    ),
    "CMYK": (file(Image.new("CMYK", (9, 5), (255, 0, 0, 0)), "TIFF"), (0, 255, 255)),
    "16-bit": (file(Image.fromarray(np.full((6, 8), 40_000, np.uint16))), (156, 156, 156)),
    "palette with transparency": (file(paletted(), transparency=0), (255, 255, 255)),
}


@pytest.mark.parametrize("odd", ODD)
def test_every_change_takes_what_can_be_read(odd):
    data, first = ODD[odd]
    picture = open_picture(data)
    assert picture.getpixel((0, 0)) == first
    for name, row in PERTURBATIONS.items():
        for strength in (0.0, 0.5, 1.0):
            found = apply(
                name,
                picture,
                strength,
                region=ALL if row.needs_region else None,
                to=(0.9, 0.1) if row.needs_target else None,
                donor=DONOR if row.needs_donor else None,
            )
            assert (found.image.size, found.image.mode) == (picture.size, "RGB"), name
            assert found.mask.shape == picture.size[::-1], name


def test_what_cannot_be_read_cannot_be_changed_either():
    for picture, told in ((Image.new("1", (20_000, 20_000)), "20000 x 20000"), (Image.new("F", (3, 3)), "white")):
        with pytest.raises(PictureError, match=told):
            apply("flip", picture)
        with pytest.raises(PictureError, match=told):
            apply("donor", Image.new("RGB", (3, 3)), donor=picture)
