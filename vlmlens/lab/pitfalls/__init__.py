"""Remedies against what goes wrong in training: one file each, found by name in `REMEDIES`."""

from vlmlens.lab.pitfalls import contrast, dropout, entropy, hard_negatives, queries, rate, skip
from vlmlens.lab.pitfalls.remedy import Remedy, Step

REMEDIES: dict[str, Remedy] = {
    file.REMEDY.name: file.REMEDY for file in (entropy, dropout, queries, contrast, hard_negatives, rate, skip)
}

__all__ = ["REMEDIES", "Remedy", "Step"]
