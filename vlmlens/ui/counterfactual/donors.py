"""The other pictures, whose pixels a change can take: example scenes, and what a person uploads."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import streamlit as st
from PIL import Image

from vlmlens.errors import PictureError, UserError
from vlmlens.models import as_image
from vlmlens.perturb import PERTURBATIONS, Step
from vlmlens.ui.ask import FILES
from vlmlens.ui.counterfactual import state
from vlmlens.ui.source import EXAMPLES, Source, examples

EXAMPLE = "example "  # and its number: a name that a link can carry
UPLOADED, FILE = "donors-uploaded", "donor-file"


class Donors(Mapping[str, Image.Image]):
    """The pictures that others can take their pixels from: example scenes by number, uploads by fingerprint."""

    def __getitem__(self, name: str) -> Image.Image:
        try:
            return as_image(_source(name).load())
        except PictureError as error:
            raise KeyError(name) from error

    def __iter__(self) -> Iterator[str]:
        return iter(f"{EXAMPLE}{number}" for number in range(1, EXAMPLES + 1))

    def __len__(self) -> int:
        return EXAMPLES


def _source(name: str) -> Source:
    if not name.startswith(EXAMPLE):
        return Source("upload", name)
    number = name.removeprefix(EXAMPLE)
    if number not in map(str, range(1, EXAMPLES + 1)):
        raise PictureError(f"There is no {name}.")
    return Source.of_scene(examples()[int(number) - 1])


def first(source: Source) -> str:
    """An example that is not what is asked about."""
    names = [f"{EXAMPLE}{number}" for number in range(1, EXAMPLES + 1)]
    return next(name for name in names if _source(name) != source)


def names() -> list[str]:
    """What can be chosen from: the examples, and what this session uploaded."""
    return [*Donors(), *st.session_state.get(UPLOADED, [])]


def label(name: str) -> str:
    return name if name.startswith(EXAMPLE) else f"your picture {name[:6]}"


def upload(steps: tuple[Step, ...]) -> None:
    """A way to bring another picture, while a change needs one."""
    if not any(PERTURBATIONS[step.name].needs_donor for step in steps):
        return
    popover = st.popover("Another picture of yours", key="donor-popover", on_change="rerun")
    if popover.open:
        with popover:
            st.file_uploader("Its pixels are taken", type=FILES, key=FILE, max_upload_size=40, on_change=_take)


def _take() -> None:
    """The uploaded picture becomes that of the last change that needs one."""
    file = st.session_state.get(FILE)
    if file is None:
        return
    try:
        source = Source.of_file(file.getvalue())
    except UserError as error:
        state.say(f"{error} The other picture before it is still used.")
        return
    st.session_state[UPLOADED] = [*st.session_state.get(UPLOADED, []), source.text]
    now = state.history().now
    last = max(place for place, step in enumerate(now.steps) if PERTURBATIONS[step.name].needs_donor)
    changed = (replace(step, donor=source.text) if place == last else step for place, step in enumerate(now.steps))
    state.make(replace(now, steps=tuple(changed)))
