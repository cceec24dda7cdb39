from __future__ import annotations

import socket

import pytest

from lepton_tasks.launcher.errors import PortInUse
from lepton_tasks.launcher.ports import LOOPBACK, free_port, require_free


def test_a_free_port_can_be_listened_on() -> None:
    port = free_port()
    require_free(port, "--port")
    with socket.create_server((LOOPBACK, port)):
        pass


def test_an_occupied_port_is_named_with_the_way_out() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(PortInUse) as caught:
            require_free(port, "--api-port")
    assert str(caught.value) == (
        f"port {port} on 127.0.0.1 is already in use; stop what listens there or choose "
        "another with --api-port"
    )


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_number_that_is_no_port(port: int) -> None:
    with pytest.raises(PortInUse, match=r"not between 1 and 65535.*--port"):
        require_free(port, "--port")


def test_an_address_of_another_machine() -> None:
    with pytest.raises(PortInUse, match="not an address of this machine"):
        require_free(free_port(), "--port", host="192.0.2.1")
