"""Every picture becomes the same upright RGB, whatever file it came in, and every bad file one sentence."""

import contextlib
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vlmlens.errors import PictureError, UserError
from vlmlens.picture import FORMATS, MAX_BYTES, encode_png, for_display, open_picture, picture_hash

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (24, 32, 3), dtype=np.uint8)  # [height, width, channel]
LOSSLESS = ("PNG", "GIF", "BMP", "WEBP", "TIFF")


def encode(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(tag: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + tag + body + struct.pack(">I", zlib.crc32(tag + body))


def png(width: int, height: int, depth: int, colour: int, data: bytes, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    body = b"".join(extra) + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + body


def refusal(source) -> str:
    with pytest.raises(PictureError) as caught:
        open_picture(source)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


def few_colours() -> Image.Image:
    return Image.fromarray(PIXELS // 64 * 64).quantize(64).convert("RGB")  # what a GIF can hold exactly


# Good pictures


@pytest.mark.parametrize("kind", LOSSLESS)
def test_the_same_pixels_come_out_of_every_lossless_format(kind, tmp_path):
    image = few_colours()
    data = encode(image, kind, **({"lossless": True} if kind == "WEBP" else {}))
    path = tmp_path / f"picture.{kind.lower()}"
    path.write_bytes(data)
    for source in (data, path, str(path), image, np.asarray(image)):
        opened = open_picture(source)
        assert opened.mode == "RGB"
        np.testing.assert_array_equal(np.asarray(opened), np.asarray(image))
    assert picture_hash(data) == picture_hash(image)


def test_jpeg_is_close_to_its_pixels():
    smooth = np.linspace(0, 255, 64, dtype=np.uint8)[None, :, None].repeat(48, 0).repeat(3, 2)
    opened = np.asarray(open_picture(encode(Image.fromarray(smooth), "JPEG", quality=95)))
    assert np.abs(opened.astype(int) - smooth).max() <= 4


def test_opening_twice_changes_nothing_and_the_source_stays_as_it_was():
    source = Image.fromarray(PIXELS).convert("RGBA")
    before = source.tobytes()
    once = open_picture(source)
    assert open_picture(once).tobytes() == once.tobytes()
    once.paste("red", (0, 0, 5, 5))
    assert source.tobytes() == before


def test_a_wrong_extension_does_not_matter(tmp_path):
    path = tmp_path / "really_a_png.jpg"
    path.write_bytes(encode(Image.fromarray(PIXELS)))
    np.testing.assert_array_equal(np.asarray(open_picture(path)), PIXELS)


@pytest.mark.parametrize("kind", FORMATS)
def test_one_pixel_is_a_picture(kind):
    assert open_picture(encode(Image.new("RGB", (1, 1), "white"), kind)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_all_eight_orientations_give_the_same_upright_picture(kind):
    blocks = np.kron(np.array([[0, 90, 180], [255, 60, 120]], dtype=np.uint8), np.ones((16, 16), dtype=np.uint8))
    upright = Image.fromarray(blocks).convert("RGB")
    turn = Image.Transpose
    as_stored = {
        1: None,
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_90,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_270,
    }
    for orientation, method in as_stored.items():
        stored = upright if method is None else upright.transpose(method)
        exif = Image.Exif()
        exif[0x0112] = orientation
        opened = open_picture(encode(stored, kind, exif=exif))
        assert opened.size == upright.size, orientation
        difference = np.abs(np.asarray(opened).astype(int) - np.asarray(upright))
        assert difference.max() <= 8, orientation  # JPEG and WebP lose a little
        assert not opened.info
        assert not opened.getexif()


def test_cmyk_is_ink_on_white():
    inks = Image.new("CMYK", (4, 1))
    inks.putdata([(0, 0, 0, 0), (255, 0, 0, 0), (0, 0, 0, 255), (0, 255, 0, 51)])
    opened = open_picture(encode(inks, "TIFF"))
    assert [opened.getpixel((x, 0)) for x in range(4)] == [(255, 255, 255), (0, 255, 255), (0, 0, 0), (204, 0, 204)]


def test_cmyk_jpeg_is_not_inverted():
    white, black = (
        open_picture(encode(Image.new("CMYK", (8, 8), ink), "JPEG")).getpixel((4, 4))
        for ink in [(0, 0, 0, 0), (0, 0, 0, 255)]
    )
    assert min(white) > 250
    assert max(black) < 5


def test_transparency_shows_white():
    paletted = Image.new("P", (2, 1))
    paletted.putpalette([255, 0, 0, 0, 0, 255])
    paletted.putdata([0, 1])
    keyed = png(2, 1, 8, 2, b"\0" + bytes([255, 0, 0, 0, 0, 255]), chunk(b"tRNS", struct.pack(">HHH", 255, 0, 0)))
    for data in (
        encode(paletted, "PNG", transparency=0),
        encode(paletted, "GIF", transparency=0),
        encode(paletted, "PNG", transparency=b"\0\xff"),
        keyed,
    ):
        opened = open_picture(data)
        assert [opened.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 255)]


def test_half_transparency_is_halfway_to_white():
    assert open_picture(Image.new("RGBA", (1, 1), (0, 0, 0, 128))).getpixel((0, 0)) == (127, 127, 127)


def test_16_bit_grey_spans_black_to_white_as_16_bit_colour_does():
    samples = np.array([[0, 255, 256, 32768, 65535]], dtype=np.uint16)
    expected = [0, 0, 1, 128, 255]
    big_endian = samples.astype(">u2").tobytes()
    colour = samples.repeat(3).astype(">u2").tobytes()
    for data in (
        png(5, 1, 16, 0, b"\0" + big_endian),
        png(5, 1, 16, 2, b"\0" + colour),
        encode(Image.fromarray(samples), "TIFF"),
        encode(Image.fromarray(samples.astype(">u2")), "TIFF"),
    ):
        assert np.asarray(open_picture(data))[0, :, 0].tolist() == expected
    keyed = png(5, 1, 16, 0, b"\0" + big_endian, chunk(b"tRNS", struct.pack(">H", 256)))
    assert np.asarray(open_picture(keyed))[0, :, 0].tolist() == [0, 0, 255, 128, 255]


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_an_animation_gives_its_first_frame(kind):
    red, blue = (Image.new("RGB", (8, 8), colour) for colour in ("red", "blue"))
    data = encode(red, kind, save_all=True, append_images=[blue], **({"lossless": True} if kind == "WEBP" else {}))
    assert Image.open(io.BytesIO(data)).n_frames == 2
    assert open_picture(data).getpixel((4, 4)) == (255, 0, 0)


# Bad ones


def test_every_refusal_is_a_users_error():
    assert issubclass(PictureError, UserError)


@pytest.mark.parametrize(
    "data",
    [b"%PDF-1.7\nnot a picture", b"\0", b"<svg xmlns='x'/>", b"P6 1 1 255 abc"],
    ids=["pdf", "nul", "svg", "ppm"],
)
def test_what_is_no_picture_is_refused_with_what_would_do(data):
    assert "PNG" in refusal(data)


def test_nothing_at_all_is_called_empty(tmp_path):
    path = tmp_path / "nothing.png"
    path.touch()
    assert "empty" in refusal(path)
    assert "nothing.png" in refusal(path)
    assert "empty" in refusal(b"")


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_cut_in_half_is_called_damaged(kind):
    data = encode(Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)), kind)
    assert "damaged" in refusal(data[: len(data) // 2])


def test_a_tiny_file_that_claims_20000_pixels_a_side_is_refused_before_decoding():
    bomb = png(20_000, 20_000, 8, 2, b"")
    assert len(bomb) < 100
    assert "megapixels" in refusal(bomb)


def test_a_bomb_below_pillows_own_limit_is_refused_before_decoding():
    bomb = png(9_000, 9_000, 1, 0, bytes(9_000 * 1126))  # 81 megapixels in ten kilobytes
    assert len(bomb) < 20_000
    assert "9000 x 9000" in refusal(bomb)


@pytest.mark.filterwarnings("error")
def test_a_warning_made_an_error_is_still_one_sentence():
    assert "megapixels" in refusal(png(12_000, 12_000, 1, 0, b""))


def test_a_huge_file_is_refused_by_size(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    assert "40 MB" in refusal(path)


def test_heic_says_what_to_do():
    assert "export it as JPEG" in refusal(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")


def test_a_folder_and_a_missing_file_are_told_apart(tmp_path):
    assert "folder" in refusal(tmp_path)
    assert "no file" in refusal(tmp_path / "missing.png")
    assert "cannot be read" in refusal("x" * 5000)


def test_numbers_without_a_white_are_refused():
    assert "white" in refusal(encode(Image.new("F", (4, 4)), "TIFF"))


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4)), np.zeros((4, 4, 2), np.uint8), np.zeros(4, np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_arrays_that_are_no_pictures_are_refused(array):
    assert "picture" in refusal(array)


def test_a_picture_without_pixels_is_refused():
    assert "no pixels" in refusal(Image.new("RGB", (0, 5)))


@pytest.mark.filterwarnings("ignore")  # Pillow also warns of what it then refuses
@settings(max_examples=150, deadline=None, derandomize=True)
@given(kind=st.sampled_from(FORMATS), flips=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=8))
def test_no_damage_gets_past_as_anything_but_a_picture_or_a_refusal(kind, flips):
    data = bytearray(encode(Image.fromarray(PIXELS), kind))
    for where, value in flips:
        data[where % len(data)] = value
    with contextlib.suppress(PictureError):
        assert open_picture(bytes(data)).mode == "RGB"


# What is made of a picture


def test_the_hash_knows_pixels_and_shape_and_nothing_else():
    image = Image.fromarray(PIXELS)
    assert picture_hash(encode(image)) == picture_hash(encode(image, "BMP")) == picture_hash(image)
    other = PIXELS.copy()
    other[-1, -1, -1] ^= 1
    assert picture_hash(Image.fromarray(other)) != picture_hash(image)
    assert picture_hash(Image.fromarray(PIXELS.reshape(32, 24, 3))) != picture_hash(image)


def test_png_round_trip():
    assert open_picture(encode_png(Image.fromarray(PIXELS))).tobytes() == PIXELS.tobytes()


@pytest.mark.parametrize(("size", "shown"), [((3000, 1500), (1024, 512)), ((1, 5000), (1, 1024)), ((32, 24), (32, 24))])
def test_only_large_pictures_are_reduced_for_display(size, shown):
    assert for_display(Image.new("RGB", size)).size == shown
