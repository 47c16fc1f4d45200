"""Which model: pick one, see beforehand what it needs, load it when asked to, see what it holds, unload it."""

from typing import TYPE_CHECKING

import streamlit as st
import torch
from PIL import Image
from streamlit.runtime.scriptrunner import get_script_run_ctx

from vlmlens.errors import ModelError, PictureError
from vlmlens.models import VLM, ModelInfo, cached_models, lab_models, ours, run_models
from vlmlens.models.base import SCENE_SIDE
from vlmlens.models.detail import Detail
from vlmlens.models.device import CHOICES, devices
from vlmlens.models.shortlist import SHORTLIST
from vlmlens.progress import Cancelled, Progress
from vlmlens.ui import pool
from vlmlens.ui.jobs import Pending, forget_about, in_words, result

if TYPE_CHECKING:
    from vlmlens.models.facts import Facts  # transformers takes seconds to import

LOADING = "loads"  # in the session's state: names whose Load was pressed, each with a pool.How
GIB = 2**30
PROMISES = (
    "Tried on one scene when it was loaded: watching changes no answer, every watched row sums to 1, every image token "
    "has its cell, hiding the picture changes something, every number is finite."
)


def pick_model(*more: str) -> str:
    """The widgets of one model; `more` are on offer beside the usual ones. Returns its name."""
    names = offered(*more, *filter(None, [st.session_state.get("model")]))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Model",
            names,
            key="model",
            accept_new_options=True,
            help="The lab's own models answer questions about lab scenes, without network or GPU. What was trained "
            "here (run:NAME) and the models of the local Hugging Face cache follow. Any other: type its hub name "
            "(org/name, or org/name@revision) or the path of its folder. A seed of the lab's: lab:concat@1. A model "
            "whose behavior was planted: planted:blind.",
        )
        _shortlist()
    name = str(chosen or names[0])
    hold([name])
    if not ours(name) and pool.here(name):
        _loaded(name, pool.get(name).info)
    return name


def offered(*more: str) -> list[str]:
    """The models on offer, and whatever else is asked for."""
    return list(dict.fromkeys([*(model.name for model in (*lab_models(), *run_models())), *_cached(), *more]))


@st.cache_data(ttl=10, show_spinner=False)
def _cached() -> list[str]:
    """Names of what the local Hugging Face cache holds; every run of a page asks."""
    return [model.name for model in cached_models()]


def model(name: str) -> VLM:
    """The model of this name, with a bar while it loads. A large one is first told of, and loaded when asked to.

    Raises Pending while there is a card or a bar in its place.
    """
    if pool.here(name):
        return pool.get(name)
    wanted: dict[str, pool.How] = st.session_state.setdefault(LOADING, {})
    if not ours(name) and name not in wanted:
        _card(name)
        raise Pending(name)
    how = wanted.get(name, pool.AS_IT_COMES)

    def work(progress: Progress) -> None:
        pool.get(name, how, progress)  # and keeps it: nothing else does

    try:
        result(("model", name, how), f"Loading {name}", work, keep=False)
    except Pending:
        raise
    except Exception as error:
        if wanted.pop(name, None) is None:
            raise
        if isinstance(error, Cancelled):
            st.info("Loading was cancelled. What has been downloaded is kept, and the next time goes on from there.")
        else:
            st.error(in_words(error))
        _card(name)  # from which it can be tried again, or otherwise
        raise Pending(name) from error
    wanted.pop(name, None)
    return pool.get(name)


def hold(names: list[str]) -> None:
    """This session asks these models, and lets go of them when it ends."""
    context = get_script_run_ctx()
    if context is not None:
        _session(context.session_id)
        pool.hold(context.session_id, names)


@st.cache_resource(scope="session", show_spinner=False, on_release=pool.leave)
def _session(session: str) -> str:
    """Released when the session ends."""
    return session


def _loaded(name: str, info: ModelInfo) -> None:
    millions = info.parameters / 1e6
    count = f"{millions:,.0f}" if millions >= 10 else f"{millions:.3g}"
    st.caption(
        f"{info.family}, {count} million parameters, {memory(info.memory)} in {info.dtype} on {info.device}. "
        "Self-check passed.",
        help=PROMISES,
    )
    st.button("Unload", on_click=_unload, args=(name,), help="Gives its memory back; it is loaded again when asked.")


def _unload(name: str) -> None:
    st.session_state.model = pool.DEFAULT
    forget_about(name)
    pool.drop(name)


def _card(name: str) -> None:
    """What a model needs before it is loaded, a light for every device, and the button that loads it."""
    from vlmlens.models.facts import look_up

    size = _picture_size()
    facts = result(("facts", name, size), f"Looking up {name}", lambda progress: look_up(name, size, progress))
    with st.container(border=True, key=f"card-{name}"):
        st.markdown(f"**{name}** is not in memory.")
        billions = facts.count.total / 1e9
        count = f"{billions:.2f} billion" if billions >= 0.1 else f"{billions * 1e3:.3g} million"
        told = st.empty()
        dtype = st.segmented_control("Precision", CHOICES, default="auto", key=f"dtype-{name}", required=True) or "auto"
        detail: Detail = "full"
        if facts.small is not None and facts.small.tokens < facts.size.tokens:
            low = st.toggle("Low detail", key=f"low-{name}", help="The picture in as few tokens as the family allows.")
            detail = "low" if low else "full"
        told.caption(f"{facts.family.name}, {count} parameters, {facts.shown(detail).tokens} tokens with this picture")
        lights = {str(device): _light(facts, device, dtype, detail) for device in devices()}
        device = next(iter(lights))
        if len(lights) > 1:
            picked = st.segmented_control("Device", [*lights], default=device, key=f"device-{name}", required=True)
            device = picked or device
        if facts.download is None or facts.download:
            what = "weights are" if facts.download is None else f"{facts.download / 1e9:.1f} GB of weights are"
            st.caption(f"Its {what} still to be downloaded; a download that stops goes on the next time.")
        how = pool.How(device, dtype, detail)
        st.button(
            "Load", type="primary", key=f"load-{name}", on_click=_load, args=(name, how), disabled=not lights[device]
        )


def _light(facts: "Facts", device: torch.device, dtype: str, detail: Detail) -> bool:
    """One line: whether it fits on a device, in numbers, and else what would."""
    try:
        found = facts.fit(device, dtype, detail)
    except ModelError as error:
        st.markdown(f":red-badge[✕ {device}] {error}")
        return False
    free = "" if found.free is None else f" of {memory(found.free)} free"
    told = f"needs {memory(found.need.total)}{free} in {found.precision}"
    if found.fits:
        st.markdown(f":green-badge[✓ {device}] {told}")
        return True
    ways = facts.ways_out(found, detail)
    what = f"This would fit: {'; or '.join(ways)}." if ways else "Take a smaller model, or free some memory."
    st.markdown(f":red-badge[✕ {device}] {told}: it will not fit. {what}")
    return False


def _load(name: str, how: pool.How) -> None:
    forget_about(name)
    st.session_state.setdefault(LOADING, {})[name] = how


def _picture_size() -> tuple[int, int]:
    """Of the picture that is asked about, as a model other than the lab's gets it."""
    source = st.session_state.get("source")
    try:
        content = source.load() if source is not None else None
    except PictureError:
        content = None
    return content.size if isinstance(content, Image.Image) else (SCENE_SIDE, SCENE_SIDE)


def _shortlist() -> None:
    """For someone who does not know where to start."""
    with st.popover("Hub", help="Where to start: models of the hub, by the machine that they run on"):
        st.markdown("**Models of the hub to start with**, by the machine that they run on")
        for machine in dict.fromkeys(row.machine for row in SHORTLIST):
            with st.container(gap=None):
                st.caption(f"On {machine}")
                for row in SHORTLIST:
                    if row.machine == machine:
                        label = f"{row.name} · {row.billions:g} billion · {row.licence}"
                        st.button(label, key=f"start-{row.name}", type="tertiary", on_click=_take, args=(row.name,))


def _take(name: str) -> None:
    st.session_state.model = name


def memory(count: int) -> str:
    """Bytes of memory, in the unit that fits."""
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{count / 2**20:.1f} MiB"
