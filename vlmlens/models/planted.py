"""Planted models behind the VLM protocol: a lab model that reads any words around its question."""

from collections.abc import Sequence

from torch import Tensor

from vlmlens.errors import NotApplicable
from vlmlens.lab.fusion import WIRINGS
from vlmlens.lab.planted import PlantedModel, PlantedName
from vlmlens.lab.planted_text import CONTEXT, Reading, encode
from vlmlens.models.base import VLM, ModelInfo
from vlmlens.models.lab import LabVLM
from vlmlens.trace import Segment


class PlantedVLM(LabVLM):
    """One planted behaviour. Words of the context stand in the segment `instruction`."""

    def __init__(self, name: str) -> None:
        VLM.__init__(self)
        planted = PlantedName.parse(name)
        self.row = planted.row
        self.model = PlantedModel(planted)
        self.wiring = WIRINGS["concat"]
        parameters = sum(p.numel() for p in self.model.parameters())
        self.info = ModelInfo(
            str(planted), "planted", "1", parameters, "cpu", "float32", lab=True, ignores=self.row.ignores
        )

    def words(self, question: str) -> tuple[tuple[str, ...], tuple[Segment, ...]]:
        reading = Reading.of(question)
        return reading.words, tuple(Segment.QUESTION if i < CONTEXT else Segment.INSTRUCTION for i in reading.ids)

    def ids(self, questions: Sequence[str]) -> Tensor:
        return encode(questions)

    def read_out(self, states: Tensor) -> Tensor:
        if self.row.combine is not None:
            raise NotApplicable(f"{self.name} reads picture and words apart; a lens at one of them shows nothing.")
        return super().read_out(states)
