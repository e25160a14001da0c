"""TLS to a registry."""

from __future__ import annotations

import ssl
from collections.abc import Iterable

import msgspec

from pyroadrunner.certificates import Problem, look_at
from pyroadrunner.plugins.discovery.drivers.contract import RegistryRefused


class TlsConfig(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """TLS (1.2 or newer) to the registry."""

    root_ca: str = ""
    """File with certificate authorities to trust in place of those of the system."""
    cert: str = ""
    """File with the client's certificate (with `key`), if the registry requires one."""
    key: str = ""
    """File with the private key of `cert`."""

    def faults(self) -> Iterable[tuple[str, str]]:
        if bool(self.cert) != bool(self.key):
            yield ("key" if self.cert else "cert"), "is missing: a certificate needs its key, and a key its certificate"

    def problems(self) -> list[Problem]:
        """The problems of the files."""
        return look_at(cert=self.cert, key=self.key, root_ca=self.root_ca)

    def context(self) -> ssl.SSLContext:
        """For one client; reads the files.

        Raises:
            RegistryRefused: a file can't be used.
        """
        try:
            context = ssl.create_default_context(cafile=self.root_ca or None)
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as error:
            raise RegistryRefused(f"TLS: {error}") from error
        return context
