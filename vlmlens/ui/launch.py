"""Start the app in this process, so that the models warm up before the first page asks for them."""

import os
import socket
from pathlib import Path

from vlmlens.errors import UserError
from vlmlens.ui import pool
from vlmlens.ui.network import here

ROOT = Path(__file__).resolve().parents[2]


def launch(port: int, headless: bool, network: bool = False) -> None:
    """Serve app.py until interrupted: to this machine, or with `network` to everybody who reaches it.

    Raises UserError where the port is taken.
    """

    from streamlit.web import bootstrap

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("0.0.0.0" if network else "127.0.0.1", port))
        except OSError as error:
            raise UserError(f"Port {port} is taken; choose another with --port, or PORT=… with make.") from error
    os.chdir(ROOT)  # Streamlit reads .streamlit/config.toml from here
    pool.warm()
    options: dict[str, object] = {"server_port": port, "server_headless": headless}
    if network:  # with an address of its own Streamlit asks nobody outside for one
        options |= {"server_address": "0.0.0.0", "browser_serverAddress": here()}
    bootstrap.load_config_options(options)
    bootstrap.run(str(ROOT / "app.py"), False, [], options)
