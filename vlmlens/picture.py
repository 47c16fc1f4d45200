"""Pictures from anywhere, read safely: one upright RGB image out, or one sentence saying why not.

Colour profiles are not applied: the models were trained without them. Metadata (place, camera) is dropped.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from vlmlens.errors import PictureError

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")
MAX_BYTES = 40 * 2**20
MAX_PIXELS = 40_000_000

_NAMES = "PNG, JPEG, GIF, BMP, WebP or TIFF"
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def open_picture(source: bytes | str | Path | Image.Image | np.ndarray) -> Image.Image:
    """Read a picture: RGB, 8 bits, upright, first frame, transparency over white.

    Args:
        source: a file's bytes, a path, a Pillow image, or an array of dtype uint8 shaped [height, width],
            [height, width, 3] or [height, width, 4]. A file's name does not matter, only what is in it.

    Raises:
        PictureError: there is no such file, it is no picture, it is damaged, or it exceeds 40 MB or 40 megapixels.

    16-bit samples keep their high byte, in grey as in colour.
    """
    if isinstance(source, Image.Image):
        return _upright_rgb(source, "The picture")
    if isinstance(source, np.ndarray):
        return _upright_rgb(_from_array(source), "The picture")
    if isinstance(source, bytes):
        return _decode(source, "The picture")
    return _decode(_read(Path(source)), f"“{Path(source).name}”")


def picture_hash(source: bytes | Image.Image) -> str:
    """Sha256 of size and pixels as `open_picture` reads them: the same picture in another format hashes the same."""
    image = open_picture(source)
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.tobytes()).hexdigest()


def encode_png(image: Image.Image) -> bytes:
    """The picture as the bytes of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def for_display(image: Image.Image, side: int = 1024) -> Image.Image:
    """The picture with its longer side reduced to `side` pixels; a smaller one comes back as it is."""
    scale = side / max(image.size)
    if scale >= 1:
        return image
    width, height = (max(1, round(length * scale)) for length in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3)


def _read(path: Path) -> bytes:
    try:
        if path.is_dir():
            raise PictureError(f"“{path}” is a folder; name one picture inside it.")
        if not path.is_file():
            raise PictureError(f"There is no file “{path}”; check the path.")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)  # enough to tell that it is too large
    except OSError as error:
        raise PictureError(f"“{path}” cannot be read ({error.strerror}); check its path and permissions.") from error


def _decode(data: bytes, name: str) -> Image.Image:
    if not data:
        raise PictureError(f"{name} is empty (0 bytes); save or download it again.")
    if len(data) > MAX_BYTES:
        raise PictureError(f"{name} is larger than {MAX_BYTES >> 20} MB; save it smaller or as JPEG.")
    if data[4:8] == b"ftyp" and data[8:12] in _HEIF_BRANDS:
        raise PictureError(f"{name} is a HEIC picture, which cannot be read here; export it as JPEG or PNG.")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureError(f"{name} claims far more pixels than {_LIMIT}; reduce it and try again.") from error
    except UnidentifiedImageError as error:
        raise PictureError(f"{name} is not a picture, or its beginning is damaged; choose a {_NAMES} file.") from error
    except Exception as error:  # on a crafted header Pillow's parsers raise whatever they stumble over
        raise _damaged(name) from error
    return _upright_rgb(image, name)


def _upright_rgb(image: Image.Image, name: str) -> Image.Image:
    width, height = image.size
    if width < 1 or height < 1:
        raise PictureError(f"{name} has no pixels ({width} x {height}); choose another.")
    if width * height > MAX_PIXELS:  # before anything is decoded
        raise PictureError(f"{name} is {width} x {height} pixels, more than {_LIMIT}; reduce it and try again.")
    try:
        image.load()
        upright = ImageOps.exif_transpose(image)
    except Exception as error:  # see above: decoders, too, raise whatever they stumble over
        raise _damaged(name) from error
    rgb = _rgb(upright, name)
    rgb.info.clear()
    return rgb


def _rgb(image: Image.Image, name: str) -> Image.Image:
    if image.mode.startswith("I;16"):
        return _rgb_of_16_bit_grey(image)
    if image.mode in ("I", "F", "LAB"):
        raise PictureError(
            f"{name} stores its pixels as {image.mode}, which has no fixed white; save it as RGB or grey."
        )
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image.convert("RGB")


def _rgb_of_16_bit_grey(image: Image.Image) -> Image.Image:
    samples = np.asarray(image)
    grey = (samples >> 8).astype(np.uint8)
    if "transparency" in image.info:
        grey[samples == image.info["transparency"]] = 255
    return Image.fromarray(grey).convert("RGB")


def _from_array(array: np.ndarray) -> Image.Image:
    grey = array.ndim == 2
    colour = array.ndim == 3 and array.shape[2] in (3, 4)
    if array.dtype != np.uint8 or not (grey or colour):
        raise PictureError(
            f"An array of {array.dtype} shaped {list(array.shape)} is no picture; "
            "give uint8 (0 to 255) shaped [height, width], [height, width, 3] or [height, width, 4]."
        )
    return Image.fromarray(array) if array.size else Image.new("RGB", (array.shape[1], array.shape[0]))


_LIMIT = f"the {MAX_PIXELS // 1_000_000} megapixels allowed"


def _damaged(name: str) -> PictureError:
    return PictureError(f"{name} is damaged or cut short; save or download it again.")
