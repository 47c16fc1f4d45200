"""Changes one after the other: run in order, written down for a link, read back."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PIL import Image

from vlmlens.errors import PictureError
from vlmlens.perturb.changes import Changed, changed, checked, differs, find
from vlmlens.perturb.region import Region
from vlmlens.perturb.row import Value
from vlmlens.picture import open_picture

MOST_STEPS = 32
MOST_LETTERS = 200_000  # of a stack as JSON


@dataclass(frozen=True)
class Step:
    name: str
    strength: float = 0.5
    seed: int = 0
    region: Region | None = None
    to: tuple[float, float] | None = None  # where move, copy and swap put the region's centre
    donor: str = ""  # by what name the donors know the other picture
    options: tuple[tuple[str, Value], ...] = ()  # for instance (("grid", 4),)

    def check(self) -> None:
        """Raises PictureError for whatever is wrong with the step before there is a picture."""
        checked(find(self.name), self.strength, self.seed, self.region, self.to, dict(self.options))

    @classmethod
    def parse(cls, text: str) -> "Step":
        """NAME, NAME:STRENGTH or NAME:STRENGTH:SEED; without a strength, the one that the change starts with."""
        name, *numbers = text.split(":")
        row = find(name)
        try:
            strength = float(numbers[0]) if numbers else row.strength
            seed = int(numbers[1]) if len(numbers) > 1 else 0
        except ValueError as error:
            raise PictureError(f"A step is written NAME:STRENGTH:SEED, for instance blur:0.5; got {text}.") from error
        if len(numbers) > 2:
            raise PictureError(f"A step is written NAME:STRENGTH:SEED, for instance blur:0.5; got {text}.")
        return cls(name, strength, seed)


def run(picture: Image.Image, steps: Sequence[Step], donors: Mapping[str, Image.Image] | None = None) -> Changed:
    """The picture after all steps in order; the mask says what differs from the picture that came in.

    Raises PictureError that names the step.
    """
    before = image = open_picture(picture)
    _few(steps)
    for number, step in enumerate(steps, 1):
        try:
            image = _after(image, step, donors or {})
        except PictureError as error:
            raise _told(number, step.name, error) from error
    return Changed(image, differs(before, image))


def _after(image: Image.Image, step: Step, donors: Mapping[str, Image.Image]) -> Image.Image:
    row = find(step.name)
    donor = donors.get(step.donor) if row.needs_donor else None
    if row.needs_donor and step.donor and donor is None:
        raise PictureError(f"the other picture “{step.donor}” is not here; choose it again.")
    return changed(step.name, image, step.strength, step.seed, step.region, step.to, donor, dict(step.options))


def to_json(steps: Sequence[Step]) -> str:
    """The steps as one line of JSON, without what is as it is anyway."""
    return json.dumps([_content(step) for step in steps], separators=(",", ":"), ensure_ascii=False)


def from_json(text: str) -> tuple[Step, ...]:
    """What `to_json` wrote. Raises PictureError that names the step and what is wrong with it."""
    if len(text) > MOST_LETTERS:
        raise PictureError(f"The changes take {len(text)} letters, more than {MOST_LETTERS}; make fewer.")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PictureError(
            "The changes are not written as JSON, or the link was cut short; make them again."
        ) from error
    if not isinstance(content, list):
        raise PictureError('The changes are a list, for instance [{"name":"blur","strength":0.5}].')
    _few(content)
    return tuple(_read(number, item) for number, item in enumerate(content, 1))


def _content(step: Step) -> dict[str, Any]:
    content: dict[str, Any] = {"name": step.name, "strength": float(step.strength)}
    if step.seed:
        content["seed"] = int(step.seed)
    if step.region is not None:
        content["region"] = step.region.to_json()
    if step.to is not None:
        content["to"] = [float(value) for value in step.to]
    if step.donor:
        content["donor"] = step.donor
    if step.options:
        content["options"] = dict(step.options)
    return content


def _read(number: int, item: Any) -> Step:
    name = item.get("name") if isinstance(item, dict) else None
    if not isinstance(name, str):
        raise PictureError(f'Step {number} has no name; a step is written {{"name":"blur","strength":0.5}}.')
    try:
        if extra := set(item) - {"name", "strength", "seed", "region", "to", "donor", "options"}:
            raise PictureError(f"it says {', '.join(sorted(extra))}, which no step has.")
        to, options, donor = item.get("to"), item.get("options", {}), item.get("donor", "")
        if to is not None and not (isinstance(to, list) and len(to) == 2):
            raise PictureError("the place to go to is written [x, y].")
        if not isinstance(options, dict) or not isinstance(donor, str):
            raise PictureError('options are written {"grid":4}, and a donor is a name.')
        step = Step(
            name,
            item.get("strength", find(name).strength),
            item.get("seed", 0),
            None if item.get("region") is None else Region.from_json(item["region"]),
            None if to is None else (to[0], to[1]),
            donor,
            tuple(sorted(options.items())),
        )
        step.check()
    except PictureError as error:
        raise _told(number, name, error) from error
    return step


def _few(steps: Sequence[Any]) -> None:
    if len(steps) > MOST_STEPS:
        raise PictureError(f"A stack has at most {MOST_STEPS} changes, this one {len(steps)}; take some out.")


def _told(number: int, name: str, error: PictureError) -> PictureError:
    return PictureError(f"Step {number} ({name}): {error}")
