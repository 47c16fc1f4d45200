"""How many bits each modality brings, alone and together."""

from vlmlens.information.gates import GATES, Gate, gate, mixture
from vlmlens.information.solver import PID, InformationError, decompose, optimum

__all__ = ["GATES", "PID", "Gate", "InformationError", "decompose", "gate", "mixture", "optimum"]
