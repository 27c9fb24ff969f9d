"""A private PostgreSQL for tests and measurements: started in a directory of its own, gone without a trace.

Only the server's programs are needed (Debian: package `postgresql`); no cluster of the machine is touched. Not for
production: whoever reaches the socket in its private directory is its administrator.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

INSTALL = "apt-get install --yes --no-install-recommends postgresql"
"""How Debian gets the programs."""
USER = "anruflotse"
"""The role that owns every database made here: no administrator, as in production."""

_PROGRAMS = Path("/usr/lib/postgresql")
_POLL_SECONDS = 0.02
_POLLS = 1500


class ClusterError(Exception):
    """PostgreSQL cannot be started; the message says what to do."""


class Cluster:
    """A running PostgreSQL on a free port of the loopback address."""

    def __init__(self, directory: Path, programs: Path, *, durable: bool, options: Mapping[str, str]) -> None:
        """Make the data directory below `directory`, which must be private and empty; see `cluster`."""
        self.directory = directory
        self.port = _free_port()
        self._programs = programs
        self._password = secrets.token_hex(16)
        self._durable = durable
        self._options = dict(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._log = directory / "log"
        self._initialise()
        self.start()
        role = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(USER), sql.Literal(self._password))
        self.administer(role)
        # As docs/records.md has it: what the server logs holds no values.
        for name, value in {"log_error_verbosity": "terse", "log_parameter_max_length": "0"}.items():
            self.administer(f"ALTER ROLE {USER} SET {name} = '{value}'")

    def start(self) -> None:
        """Start the server and wait until it answers. Raises `ClusterError`.

        It stops when the thread that called this ends: call it from one that stays.
        """
        options = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.directory),
            "fsync": "on" if self._durable else "off",
            "synchronous_commit": "on",
            "full_page_writes": "on" if self._durable else "off",
            **self._options,
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - Debian's own program, with our arguments
                [*_as_user(), self._programs / "postgres", "-D", self.directory / "data", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", "")},
            )
        waiting = threading.Event()
        for _ in range(_POLLS):
            if self._process.poll() is not None:
                break
            with contextlib.suppress(psycopg.OperationalError), self._administrator():
                return
            waiting.wait(_POLL_SECONDS)
        self.stop()
        message = f"PostgreSQL did not start; the end of its log:\n{self.log()[-2000:]}"
        raise ClusterError(message)

    def stop(self, *, crash: bool = False) -> None:
        """Stop the server, or kill it as a power cut would; every connection is lost. It can be started again."""
        if self._process is None:
            return
        # Fast shutdown, or immediate: https://www.postgresql.org/docs/current/server-shutdown.html
        self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def create(self, name: str, template: str | None = None) -> str:
        """Make an empty database, or a copy of `template` (to which nobody may be connected); its URL."""
        self.administer(
            sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE {}").format(
                sql.Identifier(name), sql.Identifier(USER), sql.Identifier(template or "template0")
            )
        )
        return self.url(name)

    def drop(self, name: str) -> None:
        """Remove a database, ending every connection to it."""
        self.administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def url(self, name: str) -> str:
        """Where a database is, with user and password."""
        return f"postgresql://{USER}:{self._password}@127.0.0.1:{self.port}/{name}"

    def administer(self, statement: sql.Composed | str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run a statement as the administrator, committed at once; its rows, if it has any."""
        with self._administrator(database) as connection:
            cursor = connection.execute(statement.encode() if isinstance(statement, str) else statement)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def log(self) -> str:
        """What the server has logged."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def _initialise(self) -> None:
        made = subprocess.run(  # noqa: S603 - Debian's own program, with our arguments
            [
                *_as_user(),
                self._programs / "initdb",
                "--pgdata",
                self.directory / "data",
                "--username=postgres",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--no-instructions",
                *([] if self._durable else ["--no-sync"]),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.directory,
            env={"LC_ALL": "C.UTF-8", "PATH": os.environ.get("PATH", "")},
        )
        if made.returncode:
            message = f"PostgreSQL's initdb failed: {made.stderr.strip()[-500:]}"
            raise ClusterError(message)

    def _administrator(self, database: str = "postgres") -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self.directory), port=self.port, user="postgres", dbname=database, autocommit=True
        )


@contextlib.contextmanager
def cluster(
    *, durable: bool = True, options: Mapping[str, str] | None = None, parent: Path | None = None
) -> Iterator[Cluster]:
    """A PostgreSQL that lives as long as the block (it takes about 2 s to start), stopped and removed afterwards.

    Without `durable` it does not wait for the disk: for tests of anything but speed. `options` are settings of the
    server, `parent` the directory in which to make its own. When run as root, the server runs as the user `postgres`.
    Raises `ClusterError` when its programs are missing.
    """
    programs = _programs()
    directory = Path(tempfile.mkdtemp(prefix="anruflotse-pg-", dir=parent))
    try:
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(directory, user.pw_uid, user.pw_gid)
        running = Cluster(directory, programs, durable=durable, options=options or {})
        try:
            yield running
        finally:
            running.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _programs() -> Path:
    """The directory of the newest installed server's programs."""
    found = [path for path in _PROGRAMS.glob("*/bin") if (path / "initdb").exists() and path.parent.name.isdigit()]
    if not found:
        message = f"PostgreSQL is not installed: {INSTALL}"
        raise ClusterError(message)
    return max(found, key=lambda path: int(path.parent.name))


def _as_user() -> list[str]:
    """What to put before a command so that it never outlives us, and does not run as root, which PostgreSQL refuses."""
    # One after the other: the kernel forgets the signal when the user changes (prctl(2), PR_SET_PDEATHSIG).
    user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--"] if os.geteuid() == 0 else []
    return [*user, "setpriv", "--pdeathsig=INT", "--"]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
