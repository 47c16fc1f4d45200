"""What a forward pass did: watches and edits go in, a Trace comes out."""

from vlmlens.trace.file import open_trace, save_trace, trace_bytes
from vlmlens.trace.segments import Grid, Segment
from vlmlens.trace.trace import Answer, Place, RowRecord, Step, Trace
from vlmlens.trace.watch import Branch, Edit, Knockout, Replace, Rows, Scale, Site, Watch

__all__ = [
    "Answer",
    "Branch",
    "Edit",
    "Grid",
    "Knockout",
    "Place",
    "Replace",
    "RowRecord",
    "Rows",
    "Scale",
    "Segment",
    "Site",
    "Step",
    "Trace",
    "Watch",
    "open_trace",
    "save_trace",
    "trace_bytes",
]
