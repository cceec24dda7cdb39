"""TLS towards Redis: what a URL's ``ssl_*`` parameters say, checked before anyone connects."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lepton_tasks.errors import ConfigError

PARAMETERS: Final = (
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_cert_reqs",
    "ssl_check_hostname",
)
"""Parameters of a URL; redis-py, kombu and Flower know options of the same names."""

_REQUIREMENTS: Final = {
    "required": ssl.CERT_REQUIRED,
    "optional": ssl.CERT_OPTIONAL,
    "none": ssl.CERT_NONE,
}
_SWITCH: Final = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


@dataclass(frozen=True, slots=True)
class Tls:
    """How a TLS connection is made. The server's certificate is checked unless told otherwise."""

    ca_certs: str | None = None
    """File of the authorities that are trusted; None: those of the system."""
    ca_path: str | None = None
    """Folder of such files, by hash."""
    certfile: str | None = None
    """Our own certificate, where Redis asks for one."""
    keyfile: str | None = None
    """Its private key."""
    cert_reqs: ssl.VerifyMode = ssl.CERT_REQUIRED
    """Whether the server must have a certificate that an authority vouches for."""
    check_hostname: bool = True
    """Whether that certificate must name the host that was asked for."""

    @staticmethod
    def parse(parameters: Mapping[str, str]) -> Tls:
        """Read the ``ssl_*`` parameters of a URL.

        >>> Tls.parse({"ssl_ca_certs": "/etc/ca.pem", "ssl_check_hostname": "false"}).ca_certs
        '/etc/ca.pem'

        Raises:
            ConfigError: a value is none of those that its parameter may have.
        """
        requirement = parameters.get("ssl_cert_reqs", "required")
        known = _REQUIREMENTS.get(requirement.lower().removeprefix("cert_"))
        if known is None:
            raise ConfigError("ssl_cert_reqs must be required, optional or none")
        check_hostname = _SWITCH.get(parameters.get("ssl_check_hostname", "true").lower())
        if check_hostname is None:
            raise ConfigError("ssl_check_hostname must be true or false")
        return Tls(
            ca_certs=parameters.get("ssl_ca_certs"),
            ca_path=parameters.get("ssl_ca_path"),
            certfile=parameters.get("ssl_certfile"),
            keyfile=parameters.get("ssl_keyfile"),
            cert_reqs=known,
            check_hostname=check_hostname and known != ssl.CERT_NONE,
        )

    def options(self) -> dict[str, Any]:
        """Keyword arguments of redis-py's clients, and what Celery calls ``broker_use_ssl``."""
        files = {
            "ssl_ca_certs": self.ca_certs,
            "ssl_ca_path": self.ca_path,
            "ssl_certfile": self.certfile,
            "ssl_keyfile": self.keyfile,
        }
        return {name: value for name, value in files.items() if value is not None} | {
            "ssl_cert_reqs": self.cert_reqs,
            "ssl_check_hostname": self.check_hostname,
        }

    def check_files(self) -> None:
        """Load the files as a connection will.

        Raises:
            ConfigError: one cannot be read or holds nothing of its kind; it is named.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if self.ca_path and not Path(self.ca_path).is_dir():
            raise ConfigError(f"ssl_ca_path {self.ca_path} is no folder")
        try:
            if self.ca_certs or self.ca_path:
                context.load_verify_locations(self.ca_certs, self.ca_path)
        except OSError as error:
            where = self.ca_certs or self.ca_path
            raise ConfigError(
                f"no certificates of authorities in {where}: {_why(error)}"
            ) from error
        if self.keyfile and not self.certfile:
            raise ConfigError("ssl_keyfile without ssl_certfile")
        try:
            if self.certfile:
                context.load_cert_chain(self.certfile, self.keyfile)
        except OSError as error:
            files = " and ".join(filter(None, (self.certfile, self.keyfile)))
            raise ConfigError(f"no certificate with its key in {files}: {_why(error)}") from error


def _why(error: OSError) -> str:
    # An SSLError is an OSError whose text names lines of OpenSSL's source.
    return "not PEM" if isinstance(error, ssl.SSLError) else str(error.strerror)
