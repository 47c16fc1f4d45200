"""A browser session without a browser: speaks Streamlit's protocol to a server, so that many fit beside it.

    async with Visitor(8501, "learn", "lesson=xor") as visitor:
        took = await visitor.click("lesson-next")    # seconds until the script was done, and until nothing was pending
        visitor.text()

It does what the page does: keeps the elements that a run leaves, sends the widgets that were set, runs fragments again
at the pace that they ask for, follows the address. It draws nothing: the times are the server's and the wire's.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

from streamlit.proto.Alert_pb2 import Alert
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.asyncio.client import ClientConnection, connect

PATIENCE = 120.0  # seconds after which a run that has not ended, or a bar that is still there, counts as an error
QUIET = 0.02  # seconds between two looks at whether all is done


class Took(NamedTuple):
    """Seconds from the click."""

    done: float  # until the script that it started has finished
    settled: float  # until no bar is left that says that work is under way


@dataclass
class Node:
    """An element on the page, and the run that put it there."""

    element: Any
    kind: str
    run: str
    fragment: str


@dataclass
class Visitor:
    port: int
    page: str
    query: str = ""
    nodes: dict[tuple[int, ...], Node] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    bytes: int = 0
    reruns: int = 0  # of fragments, as they asked for them

    def __post_init__(self) -> None:
        self._set: dict[str, WidgetState] = {}
        self._hash = self._run = ""
        self._runs = 0  # finished runs of the whole page
        self._fragment_runs: dict[str, int] = {}  # finished, by fragment
        self._running = False
        self._paced: dict[str, asyncio.Task[None]] = {}
        self._socket: ClientConnection | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        url = f"ws://127.0.0.1:{self.port}/_stcore/stream"
        self._socket = await connect(url, subprotocols=["streamlit"], max_size=None)  # type: ignore[list-item]
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in (*self._paced.values(), self._reader):
            if task is not None:
                task.cancel()
        if self._socket is not None:
            await self._socket.close()

    # What a person does

    async def open(self) -> Took:
        """The page of the address."""
        return await self._timed(())

    async def click(self, key: str) -> Took:
        widget = self.found(key)
        return await self._timed((WidgetState(id=widget.element.id, trigger_value=True),), widget.fragment)

    async def choose(self, key: str, value: str) -> Took:
        """One of a radio, a select box or a line of buttons."""
        widget = self.found(key)
        state = WidgetState(id=widget.element.id)
        if widget.kind == "button_group":
            state.string_array_value.data.append(value)
        else:
            state.string_value = value
        return await self._timed((self._kept(state),), widget.fragment)

    async def slide(self, key: str, value: float) -> Took:
        widget = self.found(key)
        state = WidgetState(id=widget.element.id)
        state.double_array_value.data.append(value)
        return await self._timed((self._kept(state),), widget.fragment)

    async def switch(self, key: str, on: bool) -> Took:
        widget = self.found(key)
        return await self._timed((self._kept(WidgetState(id=widget.element.id, bool_value=on)),), widget.fragment)

    # What a person sees

    def has(self, key: str) -> bool:
        return self._widget(key) is not None

    def found(self, key: str) -> Node:
        """The widget with this key; raises LookupError where the page has none."""
        node = self._widget(key)
        if node is None:
            raise LookupError(f"no {key} on the page; there are {', '.join(sorted(self.names()))}")
        return node

    def names(self) -> set[str]:
        return {_key(node) for node in self.nodes.values() if getattr(node.element, "id", "")} - {""}

    def text(self) -> str:
        """Everything that is written on the page."""
        bodies = (getattr(node.element, "body", "") for node in self.nodes.values())
        return "\n".join(body for body in bodies if isinstance(body, str))

    def pending(self) -> bool:
        return any(node.kind == "progress" for node in self.nodes.values())

    # The protocol

    def _widget(self, key: str) -> Node | None:
        return next((node for node in self.nodes.values() if _key(node) == key), None)

    def _kept(self, state: WidgetState) -> WidgetState:
        self._set[state.id] = state
        return state

    async def _timed(self, states: tuple[WidgetState, ...], fragment: str = "") -> Took:
        await self._until(lambda: not self._running, "the run before has not ended")  # a person waits for the page
        began, before = time.perf_counter(), self._count(fragment)
        await self._send(states, fragment)
        await self._until(lambda: self._count(fragment) > before, "the run has not ended")
        done = time.perf_counter() - began
        await self._until(lambda: not self._running and not self.pending(), "a bar is still there")
        return Took(done, time.perf_counter() - began)

    def _count(self, fragment: str) -> int:
        return self._runs + self._fragment_runs.get(fragment, 0) if fragment else self._runs

    async def _until(self, true: Callable[[], bool], otherwise: str) -> None:
        """Raises TimeoutError, which says what is missing."""
        late = time.perf_counter() + PATIENCE
        while not true():
            if time.perf_counter() > late:
                raise TimeoutError(f"{otherwise} after {PATIENCE:.0f} s")
            await asyncio.sleep(QUIET)

    async def _send(self, states: tuple[WidgetState, ...], fragment: str = "", auto: bool = False) -> None:
        message = BackMsg()
        run = message.rerun_script
        run.query_string, run.page_script_hash, run.fragment_id, run.is_auto_rerun = (
            self.query,
            self._hash,
            fragment,
            auto,
        )
        if not self._hash:
            run.page_name = self.page
        run.context_info.url = f"http://127.0.0.1:{self.port}/{self.page}"
        here = {getattr(node.element, "id", "") for node in self.nodes.values()}
        sent = {key: state for key, state in self._set.items() if key in here} | {state.id: state for state in states}
        run.widget_states.widgets.extend(sent.values())
        if not auto:
            self._running = True
        assert self._socket is not None
        await self._socket.send(message.SerializeToString())

    async def _read(self) -> None:
        assert self._socket is not None
        try:
            async for data in self._socket:
                self.bytes += len(data)
                message = ForwardMsg()
                message.ParseFromString(data if isinstance(data, bytes) else data.encode())
                self._take(message)
        except Exception as error:  # told in the report, not swallowed
            self.errors.append(f"connection: {error!r}")
            self._running = False

    def _take(self, message: ForwardMsg) -> None:
        fragments = tuple(message.metadata.run.fragment_ids)  # only what begins and ends a run says so
        match message.WhichOneof("type"):
            case "new_session":
                self._run = message.metadata.run.script_run_id
                if not fragments:
                    self._running = True
                    self._rest()
            case "delta":
                self._delta(message)
            case "navigation":
                self._hash = message.navigation.page_script_hash
            case "page_info_changed":
                self.query = message.page_info_changed.query_string
            case "auto_rerun":
                asked = message.auto_rerun
                self._paced[asked.fragment_id] = asyncio.create_task(self._again(asked.fragment_id, asked.interval))
            case "stop_auto_rerun":
                for each in message.stop_auto_rerun.fragment_ids:
                    if each in self._paced:
                        self._paced.pop(each).cancel()
            case "script_finished":
                self._finished(message.script_finished, fragments)
            case "page_not_found":
                self.errors.append(f"no page {self.page}")
            case "session_event" if message.session_event.WhichOneof("type") == "script_compilation_exception":
                self.errors.append(message.session_event.script_compilation_exception.message)

    def _delta(self, message: ForwardMsg) -> None:
        path, delta = tuple(message.metadata.delta_path), message.delta
        if delta.WhichOneof("type") != "new_element":
            return
        kind = delta.new_element.WhichOneof("type")
        element = getattr(delta.new_element, kind) if kind else None
        self.nodes[path] = Node(element, kind or "", self._run, delta.fragment_id)
        if kind == "exception":
            self.errors.append(f"{element.type}: {element.message}")
        elif kind == "alert" and element.format == Alert.ERROR:
            self.errors.append(element.body)

    def _finished(self, status: int, fragments: tuple[str, ...]) -> None:
        if status == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY:
            for each in fragments:
                self._fragment_runs[each] = self._fragment_runs.get(each, 0) + 1
            self._drop(lambda node: node.fragment in fragments and node.run != self._run)
            self._running = False
        elif status == ForwardMsg.FINISHED_SUCCESSFULLY:
            self._runs += 1
            self._drop(lambda node: node.run != self._run)
            self._running = False
        elif status == ForwardMsg.FINISHED_WITH_COMPILE_ERROR:
            self.errors.append("the script does not compile")
            self._running = False

    def _drop(self, stale: Callable[[Node], bool]) -> None:
        self.nodes = {path: node for path, node in self.nodes.items() if not stale(node)}

    def _rest(self) -> None:
        """A run of the whole page asks anew for what is to run again by itself."""
        while self._paced:
            self._paced.popitem()[1].cancel()

    async def _again(self, fragment: str, seconds: float) -> None:
        with suppress(asyncio.CancelledError):
            while True:
                await asyncio.sleep(seconds)
                self.reruns += 1
                await self._send((), fragment, auto=True)


def _key(node: Node) -> str:
    """A widget's own key, which stands at the end of its id."""
    parts = str(getattr(node.element, "id", "")).split("-", 2)
    return parts[2] if len(parts) == 3 and parts[0] == "$$ID" and parts[2] != "None" else ""
