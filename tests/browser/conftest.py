"""Streamlit apps in a real browser. Without Chromium these tests fail; they do not skip."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--headless=new",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Streamlit's own, measured on its bare widgets; everything else must be clean.
STREAMLITS_OWN = {
    "presentation-role-conflict",
    "scrollable-region-focusable",
    "svg-img-alt",
    "nested-interactive",
    "aria-allowed-attr",
}
IDLE = '[data-testid="stApp"][data-test-script-state="notRunning"][data-test-connection-state="CONNECTED"]'
DRAWN = "!document.querySelector('[data-testid=stSkeleton]')"  # a skeleton stands where code is still being fetched
LOCAL = re.compile(r"(https?|wss?)://(127\.0\.0\.1|localhost)[:/]|data:|blob:")
HARMLESS = re.compile(r"_stcore/(health|host-config)")  # asked for below the page's own path: two 404s


def _wait_idle(page: Page, timeout: float = 60.0) -> None:
    page.wait_for_selector(IDLE, timeout=1000 * timeout)
    page.wait_for_timeout(250)  # a rerun that the first run asked for
    page.wait_for_selector(IDLE, timeout=1000 * timeout)
    page.wait_for_function(DRAWN, timeout=1000 * timeout)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            return
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.25)
    raise RuntimeError(f"streamlit did not answer at {url}:\n{log.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    """serve(script, env=None) -> url. The same script and environment are started once a session."""
    started: dict[tuple[str, frozenset[tuple[str, str]]], str] = {}
    processes: list[subprocess.Popen[bytes]] = []

    def start(script: str | Path, env: dict[str, str] | None = None) -> str:
        which = (str(script), frozenset((env or {}).items()))
        if which in started:
            return started[which]
        port = _free_port()
        log = tmp_path_factory.mktemp("streamlit") / "log.txt"
        options = {
            "server.port": port,
            "server.address": "127.0.0.1",
            "server.headless": "true",
            "server.fileWatcherType": "none",
            "browser.gatherUsageStats": "false",
        }
        command = [sys.executable, "-m", "streamlit", "run", str(script)]
        command += [f"--{name}={value}" for name, value in options.items()]
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        environment = os.environ | {"PYTHONPATH": path, "HF_HUB_OFFLINE": "1"} | (env or {})
        with log.open("wb") as sink:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=sink, stderr=subprocess.STDOUT)
        processes.append(process)
        url = f"http://127.0.0.1:{port}"
        _wait_healthy(process, url, log)
        started[which] = url
        return url

    yield start
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. Missing is a failure: a skipped browser test says nothing."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"Chromium is not at {CHROMIUM}: apt-get install chromium, or set CHROMIUM to its path")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def wait_idle() -> Callable[..., None]:
    """wait_idle(page, timeout=60 s): until the script has run and nothing asked for another run."""
    return _wait_idle


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app as `make app` starts it, with no training runs."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "vlmlens", "app", "--headless", "--port", str(port)]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "VLMLENS_RUNS": str(tmp_path_factory.mktemp("runs"))}
    server = subprocess.Popen(command, cwd=ROOT, env=env)
    url = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{url}/_stcore/health", timeout=1)
            break
        except OSError:
            assert server.poll() is None, "the app ended before it answered"
            time.sleep(0.25)
    yield url
    server.send_signal(signal.SIGINT)
    try:
        server.wait(10)
    except subprocess.TimeoutExpired:
        server.kill()


@pytest.fixture(scope="session")
def axe_findings() -> Callable[[Page], dict[str, list[str]]]:
    """axe_findings(page): what is serious and not Streamlit's own, rule -> elements."""

    def find(page: Page) -> dict[str, list[str]]:
        return {
            violation["id"]: [node["html"][:160] for node in violation["nodes"]]
            for violation in Axe().run(page).response["violations"]
            if violation["impact"] in ("serious", "critical") and violation["id"] not in STREAMLITS_OWN
        }

    return find


@pytest.fixture(scope="session")
def fine(axe_findings: Callable[[Page], dict[str, list[str]]]) -> Callable[[Page], None]:
    """fine(page): no exception, nothing that hangs out sideways, nothing serious for axe."""

    def look(page: Page) -> None:
        assert not page.locator("[data-testid='stException']").count()
        assert not page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 2")
        assert axe_findings(page) == {}

    return look


@pytest.fixture
def page_problems() -> list[str]:
    """Console errors and requests that left this machine; `page` fails the test at its end if there are any."""
    return []


@pytest.fixture(scope="session")
def context_of(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """context_of(width, height, scheme, **options): one for all tests, so that Streamlit's code is fetched once."""
    made: dict[object, BrowserContext] = {}

    def of(width: int, height: int, scheme: str, **options: object) -> BrowserContext:
        which = (width, height, scheme, *sorted(options.items()))
        if which not in made:
            made[which] = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=scheme,  # type: ignore[arg-type]
                **options,  # type: ignore[arg-type]
            )
        return made[which]

    yield of
    for context in made.values():
        context.close()


@pytest.fixture
def new_page(context_of: Callable[..., BrowserContext], page_problems: list[str]) -> Iterator[Callable[..., Page]]:
    """new_page(width=1440, height=900, scheme="light", **context options) -> Page, watched for problems."""
    pages: list[Page] = []

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error" and not HARMLESS.search(f"{message.location} {message.text}"):
            page_problems.append(f"console: {message.text}")

    def note_request(request: Request) -> None:
        if not LOCAL.match(request.url):
            page_problems.append(f"request left this machine: {request.url}")

    def make(width: int = 1440, height: int = 900, scheme: str = "light", **options: object) -> Page:
        page = context_of(width, height, scheme, **options).new_page()
        pages.append(page)
        page.on("console", note_console)
        page.on("pageerror", lambda error: page_problems.append(f"page error: {error}"))
        page.on("request", note_request)
        return page

    yield make
    for page in pages:
        if page.url.startswith("http"):
            page.evaluate("localStorage.clear(); sessionStorage.clear()")  # the next test is a newcomer
        page.close()
    assert not page_problems, page_problems


@pytest.fixture
def page(new_page: Callable[..., Page]) -> Page:
    """A laptop's page, light."""
    return new_page()
