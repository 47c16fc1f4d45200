"""Is the model using vision at all? Seven tests that can fail, on a card, with a diagnosis.

card = run(vlm, lab_probe(seed=0))
card.to_frame(); card.diagnosis.sentence

Definitions: docs/definitions.md, "Diagnostics".
"""

from vlmlens.diagnostics.crossed import Answers
from vlmlens.diagnostics.diagnosis import LABELS, Diagnosis
from vlmlens.diagnostics.finding import Evidence, Needs, Supply, Test, Verdict
from vlmlens.diagnostics.probe import ProbeError, ProbeSet, lab_probe, own_probe
from vlmlens.diagnostics.probe_file import read_probe
from vlmlens.diagnostics.run import TESTS, named, needs, run, running
from vlmlens.diagnostics.scorecard import Change, Row, Scorecard, compare

__all__ = [
    "LABELS",
    "TESTS",
    "Answers",
    "Change",
    "Diagnosis",
    "Evidence",
    "Needs",
    "ProbeError",
    "ProbeSet",
    "Row",
    "Scorecard",
    "Supply",
    "Test",
    "Verdict",
    "compare",
    "lab_probe",
    "named",
    "needs",
    "own_probe",
    "read_probe",
    "run",
    "running",
]
