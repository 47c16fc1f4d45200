"""Pitfalls: detectors of what goes wrong in fusion, one file each, found by name in `DETECTORS`.

evidence = Evidence(vlm)                # what was seen of a model on a probe set
for name, finding in detect(evidence): ...
"""

from collections.abc import Iterator

from vlmlens.errors import NotApplicable
from vlmlens.pitfalls import collapse, encoder, gates, gradients, ignored, sinks
from vlmlens.pitfalls.evidence import Evidence, Looked
from vlmlens.pitfalls.finding import Detector, Finding, Verdict, not_applicable

DETECTORS: dict[str, Detector] = {
    file.DETECTOR.name: file.DETECTOR for file in (collapse, ignored, gradients, gates, sinks, encoder)
}


def detect(evidence: Evidence) -> Iterator[tuple[str, Finding]]:
    """Every detector's finding, as they come."""
    for done, (name, detector) in enumerate(DETECTORS.items()):
        evidence.progress.step(done / len(DETECTORS), name)
        yield name, found(detector, evidence)


def found(detector: Detector, evidence: Evidence) -> Finding:
    """One detector's finding; what cannot be had of a model is n/a, with the reason."""
    try:
        return detector.find(evidence)
    except NotApplicable as reason:
        return not_applicable(str(reason))


__all__ = ["DETECTORS", "Detector", "Evidence", "Finding", "Looked", "Verdict", "detect", "found"]
