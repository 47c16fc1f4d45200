"""Remedies against what goes wrong in training: one file each, found by name in `REMEDIES`."""

from vlmlens.lab.pitfalls.remedy import Remedy, Step

REMEDIES: dict[str, Remedy] = {}

__all__ = ["REMEDIES", "Remedy", "Step"]
