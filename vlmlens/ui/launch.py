"""Start the app in this process, so that the models warm up before the first page asks for them."""

import os
import socket
from pathlib import Path

from vlmlens.errors import UserError
from vlmlens.ui import pool

ROOT = Path(__file__).resolve().parents[2]


def launch(port: int, headless: bool) -> None:
    """Serve app.py on localhost until interrupted. Raises UserError where the port is taken."""

    from streamlit.web import bootstrap

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(f"Port {port} is taken; choose another with --port, or PORT=… with make.") from error
    os.chdir(ROOT)  # Streamlit reads .streamlit/config.toml from here
    pool.warm()
    options = {"server_port": port, "server_headless": headless}
    bootstrap.load_config_options(options)
    bootstrap.run(str(ROOT / "app.py"), False, [], options)
