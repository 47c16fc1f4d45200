"""How maps of different layers and heads differ: Hellinger distance, entropy, and which heads look at the picture."""

import numpy as np

from vlmlens.attention.maps import image_maps
from vlmlens.trace import Place, Trace


def over_image(values: np.ndarray) -> np.ndarray:
    """Maps [..., cell] renormalised to sum to 1 over the picture; zeros stay where there is nothing to share out."""
    values = np.asarray(values, float)
    mass = values.sum(axis=-1, keepdims=True)
    return np.divide(values, mass, out=np.zeros_like(values), where=mass > 0)


def hellinger(values: np.ndarray) -> np.ndarray:
    """Distances between maps [map, cell], each renormalised: 0 for equal ones, 1 for those that share no cell."""
    roots = np.sqrt(over_image(values))
    return np.sqrt(((roots[:, None] - roots[None]) ** 2).sum(axis=-1) / 2)


def head_entropy(trace: Trace) -> tuple[tuple[Place, ...], np.ndarray]:
    """Bits of the answering row's attention over the picture, [place, head]; the even map has log2 of the cells."""
    places, values = image_maps(trace)
    shares = over_image(values[:, :, 0])
    return places, -(shares * np.log2(shares, out=np.zeros_like(shares), where=shares > 0)).sum(axis=-1)


def head_share(trace: Trace) -> tuple[tuple[Place, ...], np.ndarray]:
    """How much of its attention each head's answering row gives to the picture, [place, head]."""
    places, values = image_maps(trace)
    return places, values[:, :, 0].sum(axis=-1)


def image_heads(trace: Trace, most: int = 10) -> list[tuple[int, int, float, float]]:
    """The heads that look at the picture the most: place, head, share of attention, entropy in bits; largest first."""
    places, share = head_share(trace)
    if not places:
        return []
    entropy = head_entropy(trace)[1]
    order = np.argsort(-share, axis=None, kind="stable")[:most]
    found = [divmod(int(index), share.shape[1]) for index in order]
    return [(place, head, float(share[place, head]), float(entropy[place, head])) for place, head in found]
