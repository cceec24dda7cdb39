"""``python -m api``: serve the API until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import socket
import sys
from collections.abc import Sequence
from typing import Final

import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.middleware import STALL_SECONDS
from api.startup import check_startup, configure_logging, raise_file_limit
from lepton_tasks.embedded.discover import running_settings
from lepton_tasks.errors import LeptonError
from lepton_tasks.launcher.ports import require_free
from lepton_tasks.launcher.signals import interrupt_on_signals
from lepton_tasks.settings import load_settings

DEFAULT_PORT: Final = 8000
_GRACE_SECONDS: Final = 10


class ApiServer(uvicorn.Server):
    """A server whose long-polls end with it, so that stopping takes no minute.

    It drops connections whose client takes nothing any more.
    """

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen; a connection has the options of the socket that accepted it."""
        await super().startup(sockets)
        if self.started:
            milliseconds = round(STALL_SECONDS * 1000)
            for listening in (one for server in self.servers for one in server.sockets):
                listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer those who wait for a job with the job as it is, then stop."""
        self._app.state.services.waiting.release()
        self._app.state.services.watching.release()
        await super().shutdown(sockets)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve; returns the exit code: 1 when the API cannot start."""
    options = _parser().parse_args(arguments)
    try:
        settings = running_settings(load_settings())
        configure_logging(settings.log_level)
        require_free(options.port, "--port", options.host)
        check_startup(settings)
        raise_file_limit()
    except LeptonError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201
        return 1
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        host=options.host,
        port=options.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )
    server = ApiServer(config, app)
    # uvicorn repeats the signal that ended it, once it has ended.
    with contextlib.suppress(KeyboardInterrupt), interrupt_on_signals():
        server.run()
    return 0 if server.started else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m api", description="Serve the HTTP API.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="TCP port to listen on")
    return parser


if __name__ == "__main__":
    sys.exit(main())
