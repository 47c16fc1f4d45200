"""What the command line needs: steps as they are typed, and the picture written."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from PIL import Image

from vlmlens.errors import PictureError
from vlmlens.perturb.changes import PERTURBATIONS
from vlmlens.perturb.region import Region
from vlmlens.perturb.stack import Step, from_json


def read_steps(stack: str | None, typed: Sequence[str], region: Region | None, to: str | None) -> tuple[Step, ...]:
    """The steps of a stack (JSON, or the path of a file of it), then the typed ones, which share region and target.

    Raises PictureError.
    """
    target = None if to is None else _place(to)
    steps = from_json(_text(stack)) if stack is not None else ()
    steps += tuple(replace(Step.parse(text), region=region, to=target) for text in typed)
    if not steps:
        raise PictureError(f"Name a change with --step or give a --stack; there are {', '.join(PERTURBATIONS)}.")
    return steps


def write(image: Image.Image, path: Path) -> None:
    """Raises PictureError where the ending names no format or the file cannot be written."""
    try:
        image.save(path)
    except ValueError as error:
        raise PictureError(f"“{path.name}” has no ending that says how to write it; name it .png or .jpg.") from error
    except OSError as error:
        raise PictureError(f"The picture could not be written to {path}: {error.strerror or error}.") from error


def _place(text: str) -> tuple[float, float]:
    try:
        x, y = (float(number) for number in text.split(","))
    except ValueError as error:
        raise PictureError(f"--to is two fractions of the picture such as 0.7,0.5; got {text}.") from error
    return x, y


def _text(stack: str) -> str:
    if stack.lstrip().startswith(("[", "{")):
        return stack
    try:
        return Path(stack).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise PictureError(f"--stack is JSON or a file of it; “{stack[:80]}” is neither.") from error
