"""Compressors of the lab: 36 image tokens to fewer, one file each.

Each file has a `COMPRESSOR`; `COMPRESSORS` has them by name, in the order of the Compression view.
"""

from vlmlens.lab.compress import (
    average,
    importance,
    none,
    perceiver,
    qformer,
    queries,
    random,
    relevance,
    topk,
)
from vlmlens.lab.compress.compressor import BUDGETS, Compression, Compressor, Told, in_words
from vlmlens.lab.compress.model import CompressedModel

COMPRESSORS: dict[str, Compression] = {
    file.COMPRESSOR.name: file.COMPRESSOR
    for file in (none, average, queries, qformer, perceiver, topk, importance, relevance, random)
}

__all__ = ["BUDGETS", "COMPRESSORS", "CompressedModel", "Compression", "Compressor", "Told", "in_words"]
