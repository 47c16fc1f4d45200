"""Under which address do others on the same network find this server?"""

import socket
from urllib.parse import urlsplit

LOCAL = ("localhost", "127.0.0.1", "::1", "0.0.0.0")


def here() -> str:
    """This machine's address on its network; 127.0.0.1 where it has none. Sends nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(("10.255.255.255", 1))  # picks the interface; a datagram socket that connects sends nothing
            return str(asked.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def shared(url: str, listens: str | None) -> str:
    """The address of a page, as others reach it: `url` is the one that its own browser used, `listens` the server's.

    A browser on the server's own machine says localhost, which on another machine is that machine.
    """
    parts = urlsplit(url)
    if parts.hostname in LOCAL and listens in (None, "", "0.0.0.0", "::"):
        port = f":{parts.port}" if parts.port else ""
        parts = parts._replace(netloc=f"{here()}{port}")
    return parts._replace(query="", fragment="").geturl()


def is_local(url: str) -> bool:
    """Whether this address means the machine that reads it."""
    return urlsplit(url).hostname in LOCAL
