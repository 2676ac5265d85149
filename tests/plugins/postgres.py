"""A PostgreSQL server of Debian's package, for the tests that need a real one."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "s3cret: 50%/x"
"""Characters that an address must escape."""


def _binaries() -> Path | None:
    """Return the folder of the server's commands: that of the newest version, or where `postgres` is found."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    command = shutil.which("postgres")
    return folders[-1] if folders else Path(command).parent if command else None


@contextmanager
def server() -> Iterator[str]:
    """Start a server with an empty database, reached by a password alone; yield the address without it.

    Skips the test where there is no server, or nobody else than root to run it.
    """
    binaries = _binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed here (apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    before: list[str] = []
    if os.getuid() == 0:  # which the server refuses to run as
        users = {user.pw_name for user in pwd.getpwall()}
        name = next((name for name in ("postgres", "nobody") if name in users), None)
        if name is None or not shutil.which("runuser"):
            pytest.skip("PostgreSQL does not run as root, and there is no other user")
        before = ["runuser", "-u", name, "--"]
        shutil.chown(folder, name)
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def call(command: str, *arguments: str) -> None:
        # Without pipes: the server keeps those that it inherits.
        with (folder.parent / f"{folder.name}.log").open("wb") as log:
            done = subprocess.run(
                [*before, binaries / command, "-D", folder / "data", *arguments], stdout=log, stderr=log, cwd="/"
            )
        if done.returncode:
            raise RuntimeError(f"{command}: {Path(log.name).read_text()}")

    try:
        call("initdb", "-U", "hy", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "-N", "-E", "UTF8")
        call("pg_ctl", "-w", "-o", f"-k {folder} -p {port} -F -c listen_addresses=127.0.0.1", "start")
        try:
            yield f"127.0.0.1:{port}/postgres"
        finally:
            call("pg_ctl", "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        folder.with_name(f"{folder.name}.log").unlink(missing_ok=True)
