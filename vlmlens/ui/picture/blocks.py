"""Arrays and pictures as one block of bytes, which scene.js opens."""

import json
from typing import Any

import numpy as np

from vlmlens.ui.browser import picture_id

MOST_WORDS = 65536  # different ones: two bytes a cell


def pack(values: np.ndarray) -> tuple[bytes, np.ndarray]:
    """Code values [..., cell] as float16 fractions of each row's largest magnitude; returns the codes and the scales.

    Two bytes a value: in one byte, only the hottest fifth of a row would keep the 1 % that a tooltip promises.
    """
    values = np.asarray(values, dtype=np.float32)
    scales = np.where(np.isnan(values), 0, np.abs(values)).max(axis=-1)  # [...]
    divisor = np.where(scales > 0, scales, 1)[..., None]
    return (values / divisor).astype("<f2").tobytes(), scales.astype("<f4")


def pack_words(words: np.ndarray) -> tuple[list[str], bytes]:
    """Code words [..., cell] as uint16 places in a vocabulary; returns the vocabulary and the places."""
    vocabulary, places = np.unique(np.asarray(words, dtype=object), return_inverse=True)
    if len(vocabulary) > MOST_WORDS:
        raise ValueError(f"maps.words: at most {MOST_WORDS} different words, got {len(vocabulary)}")
    return vocabulary.tolist(), places.astype("<u2").tobytes()


def block(header: dict[str, Any], sections: dict[str, bytes]) -> bytes:
    """Header length (uint32), header (JSON), sections. The header names each section by digest, place and length."""
    places, start = {}, 0
    for name, content in sections.items():
        places[name] = {"start": start, "length": len(content), "id": picture_id(content)}
        start += len(content)
    text = json.dumps(header | {"sections": places}).encode()
    return b"".join((len(text).to_bytes(4, "little"), text, *sections.values()))
