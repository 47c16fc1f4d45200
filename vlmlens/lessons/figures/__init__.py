"""The figures that lessons may name: a new one is one file with a `FIGURE`, and a row here."""

from vlmlens.lessons.figures import (
    attention_and_use,
    bits,
    board,
    compressors,
    confidence,
    contrast_map,
    gate,
    hint,
    layers,
    longer_text,
    pooling,
    query_holder,
    sample_size,
    sink,
    without_picture,
)
from vlmlens.lessons.figures.figure import (
    Amount,
    Choice,
    Drawing,
    FigureError,
    LessonFigure,
    Load,
    Parameter,
    Settings,
    Shown,
)

FIGURES: dict[str, LessonFigure] = {
    module.FIGURE.name: module.FIGURE
    for module in (
        attention_and_use,
        bits,
        board,
        compressors,
        confidence,
        contrast_map,
        gate,
        hint,
        layers,
        longer_text,
        pooling,
        query_holder,
        sample_size,
        sink,
        without_picture,
    )
}

__all__ = [
    "FIGURES",
    "Amount",
    "Choice",
    "Drawing",
    "FigureError",
    "LessonFigure",
    "Load",
    "Parameter",
    "Settings",
    "Shown",
]
