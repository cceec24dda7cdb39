"""Loopback ports: find a free one, or say clearly that one is taken."""

from __future__ import annotations

import errno
import socket

from lepton_tasks.launcher.errors import PortInUse

LOOPBACK = "127.0.0.1"

_REASONS = {
    errno.EADDRINUSE: "is already in use",
    errno.EACCES: "may not be used without more rights",
    errno.EADDRNOTAVAIL: "is not an address of this machine",
}


def free_port() -> int:
    """Return a loopback TCP port that nothing listens on right now.

    Another process may take it before the caller does; whoever listens on it
    has to try again then.
    """
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def require_free(port: int, option: str, host: str = LOOPBACK) -> None:
    """Check that a server could listen on ``host`` and ``port``.

    ``option`` is how the user chooses another, such as ``--port``. Raises
    PortInUse with both when it could not.
    """
    if not 0 < port < 65536:
        raise PortInUse(f"port {port} is not between 1 and 65535; set {option}")
    try:
        family, kind, proto, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, proto) as probe:
            # As servers do: a port whose last connections are still closing is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"cannot be listened on ({error.strerror})")
        raise PortInUse(
            f"port {port} on {host} {reason}; stop what listens there or choose another "
            f"with {option}"
        ) from error
