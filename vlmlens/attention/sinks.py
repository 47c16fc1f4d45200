"""Sink positions: tokens that soak up attention because their states are outliers, not for what they show.

Kang et al. (ICLR 2025, "See what you are told"): a position is a sink where its largest activation, in units of the
state's root mean square, exceeds 20. No dimension is named beforehand, so the rule holds for any model. A state of
width d cannot exceed sqrt(d), so models narrower than 400 have none.
"""

from dataclasses import dataclass

import numpy as np

from vlmlens.trace import Segment, Trace

THRESHOLD = 20.0


def sinks(trace: Trace, threshold: float = THRESHOLD) -> tuple[int, ...]:
    """Token positions whose state is an outlier as it enters any layer."""
    return tuple(np.flatnonzero((trace.peaks > threshold).any(axis=0)).tolist())


@dataclass(frozen=True)
class SinkParts:
    """Positions of sinks, by what they stand for."""

    bos: tuple[int, ...]
    text: tuple[int, ...]
    registers: tuple[int, ...]  # the picture's (Darcet et al., ICLR 2024, call such patches registers)


def sink_parts(trace: Trace, threshold: float = THRESHOLD) -> SinkParts:
    """The sinks of a trace, the begin-of-sequence token and the picture's patches listed apart."""
    found = sinks(trace, threshold)
    return SinkParts(
        tuple(p for p in found if trace.segments[p] == Segment.BOS),
        tuple(p for p in found if trace.segments[p] not in (Segment.BOS, Segment.IMAGE)),
        tuple(p for p in found if trace.segments[p] == Segment.IMAGE),
    )
