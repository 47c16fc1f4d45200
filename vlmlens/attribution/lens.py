"""Logit lens at each patch (nostalgebraist, 2020): what would the model answer if it ended here and read this alone?"""

import numpy as np

from vlmlens.attribution.case import Case, Map
from vlmlens.models.inside import lens
from vlmlens.progress import Progress


def lens_map(case: Case, progress: Progress) -> Map:
    progress.step(0, "states of every patch")
    asked = [case.answer.candidate] + ([] if case.against is None else [case.against.candidate])
    found = lens(case.vlm, case.prepared, asked)
    logs = found.log_probability
    values = np.exp(logs[..., 0]) if case.against is None else logs[..., 0] - logs[..., 1]
    words = np.array([[case.vlm.answer_text(int(i)) for i in row] for row in found.best])
    unit = f"probability of “{case.answer.text}”" if case.against is None else f"nats, {case.explained()}"
    return Map(
        "lens",
        found.points,
        values[:, None].astype(np.float32),
        unit,
        signed=case.against is not None,
        first=len(found.points) - 1,
        words=words,
    )
