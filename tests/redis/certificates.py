"""Keys and certificates for encrypted connections, made by `openssl`."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Certificates:
    """A folder with `ca.pem`, and with `server.pem` and `server.key` for 127.0.0.1."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "Certificates":
        made = cls(folder)
        made._run("req", "-x509", "-subj", "/CN=Nuovo tests", "-keyout", "ca.key", "-out", "ca.pem")
        made._run("req", "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
        (folder / "names").write_text("subjectAltName=IP:127.0.0.1", encoding="ascii")
        made._run(
            *("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
            *("-extfile", "names", "-out", "server.pem"),
        )
        return made

    @property
    def options(self) -> dict[str, str]:
        """Return what a server must be told."""
        return {
            "tls-ca-cert-file": f"{self.folder}/ca.pem",
            "tls-cert-file": f"{self.folder}/server.pem",
            "tls-key-file": f"{self.folder}/server.key",
        }

    def _run(self, command: str, *arguments: str) -> None:
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes") if command == "req" else ()
        subprocess.run(["openssl", command, *new_key, *arguments], cwd=self.folder, check=True, capture_output=True)
