"""Where a picture on a page comes from: a lab scene, or a file that a person brought.

Uploaded bytes are kept by content for the life of the server, so that a link or a page change finds them again.
"""

import hashlib
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from PIL import Image

from vlmlens.errors import PictureError
from vlmlens.lab.draw import resembles_a_scene
from vlmlens.lab.sample import crossed
from vlmlens.lab.scenes import Scene
from vlmlens.models import Picture
from vlmlens.picture import open_picture

MOST_UPLOADS = 64
EXAMPLES = 6

_lock = threading.Lock()
_uploads: "OrderedDict[str, Image.Image]" = OrderedDict()


@dataclass(frozen=True)
class Source:
    """`text` is a scene's JSON, or the sha256 of a file's bytes."""

    kind: Literal["scene", "upload"]
    text: str

    @classmethod
    def of_scene(cls, scene: Scene) -> "Source":
        return cls("scene", scene.to_json())

    @classmethod
    def of_file(cls, data: bytes) -> "Source":
        """Read a picture once. Raises PictureError in words."""
        name = hashlib.sha256(data).hexdigest()
        image = open_picture(data)
        with _lock:
            _uploads[name] = image
            while len(_uploads) > MOST_UPLOADS:
                _uploads.popitem(last=False)
        return cls("upload", name)

    @property
    def scene(self) -> Scene | None:
        return Scene.from_json(self.text) if self.kind == "scene" else None

    def load(self) -> Picture:
        """The scene or the picture. Raises PictureError where an uploaded picture is no longer here."""
        if self.kind == "scene":
            return Scene.from_json(self.text)
        with _lock:
            image = _uploads.get(self.text)
        if image is None:
            raise PictureError(
                "The picture of this link is not on this machine: links carry lab scenes whole, but of an uploaded "
                "picture only its fingerprint. Upload it again."
            )
        return image

    def foreign_to_the_lab(self) -> bool:
        """Whether lab models have never seen anything like it."""
        picture = self.load()
        return isinstance(picture, Image.Image) and not resembles_a_scene(picture)


def examples() -> tuple[Scene, ...]:
    """Held-out scenes with four things each."""
    return tuple(crossed(seed=7, scenes=EXAMPLES)[0])
