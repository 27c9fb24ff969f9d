"""One PostgreSQL database as a store: private by its roles, durable, with errors that hold no content.

What PostgreSQL cannot do is overwrite: a deleted row stays in its page until the page is used again, and its page
images stay in the write-ahead log until the segments are recycled. `scrub` and `rewrite` do what can be done. For the
key store that means:

- no archive of the write-ahead log, no inactive replication slot and no backup with generations may hold it, or keys
  destroyed long ago can be brought back (`exposures` finds the first two);
- what is left meanwhile is a wrapped key: rotating the master key and destroying the old one makes it unreadable.

https://www.postgresql.org/docs/current/routine-vacuuming.html, https://www.postgresql.org/docs/current/wal-intro.html
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence

import psycopg
from sqlalchemy import URL, Connection, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.schema import Table

from anruflotse.records.model import StoreError
from anruflotse.records.stores.engine import EngineDatabase, Progress

_OPENING_LOCK, _MIGRATION_LOCK = 0x616E7275, 0x616E7276
"""Advisory locks; drawn from the product's name, so that no other program in the same server is likely to use them."""
_OPENING_SECONDS = 60
"""So long a start waits for another one that brings the tables up to date."""

_LOST = "the connection was lost: try again; if that fails, check that the server runs"
_UNKNOWN = "the connection was lost while it was committing, so that nobody knows whether it did: look, and try again"
_BUSY = "it is locked by another session: end the session that holds it"
_READ_ONLY = "it cannot be written, being a standby or set read-only: name the primary server, or allow writing"
_LOGIN = "user or password is wrong, or pg_hba.conf does not let this user in: correct the URL or that file"
_DATABASE = "there is no database of this name: create it, owned by this user"
_STARTING = "the server is starting or stopping: try again in a moment"
_CROWDED = "too many connections are in use: raise max_connections, or run fewer processes"
_UNREACHABLE = "the server is not reachable: check that it runs, and host and port in the URL"
_RIGHTS = "the user of the URL lacks the rights: make it the owner of the database"

_MESSAGES = {
    "53100": "the disk of the server is full: free some space",
    "53300": _CROWDED,
    "55P03": _BUSY,
    "57014": "it did not answer in time: check the load of the server",
    "25006": _READ_ONLY,
    "3D000": _DATABASE,
    "42501": _RIGHTS,
    "42P01": "a table is missing: restore the database from a backup",
    "57P03": _STARTING,
    "58P01": "a file of the server is missing: restore the database from a backup",
    # Whole classes: https://www.postgresql.org/docs/current/errcodes-appendix.html
    "08": _LOST,
    "57P": _LOST,
    "25P": _LOST,
    "28": _LOGIN,
    "40": "another change came in between: try again",
    "23": "the entry contradicts what is stored already",
    "53": "the server has run out of something: see its log",
    "58": "the disk of the server reports errors: check it",
    "XX": "the server reports damage: see its log, and restore the database from a backup",
}
_GONE = ("08", "57P", "25P", "42P01", "3D000")
"""After these the database may be another one when it is back: everything is looked at anew."""

_IDENTITY = "SELECT pg_postmaster_start_time(), oid FROM pg_database WHERE datname = current_database()"
_MAY_CHECKPOINT = (
    "SELECT current_setting('is_superuser') = 'on' OR EXISTS ("
    "SELECT FROM pg_roles WHERE rolname = 'pg_checkpoint' AND pg_has_role(oid, 'USAGE'))"
)
_EXPOSURES = """
SELECT current_setting('archive_mode') <> 'off' AS archived,
       EXISTS (SELECT FROM pg_replication_slots WHERE NOT active) AS idle,
       current_setting('log_error_verbosity') <> 'terse' AS detailed,
       current_setting('log_parameter_max_length') <> '0' AND (
           current_setting('log_statement') IN ('mod', 'all')
           OR current_setting('log_min_duration_statement') <> '-1'
           OR current_setting('log_min_duration_sample') <> '-1'
       ) AS logged
"""
# Errors of the log-in come without a code (https://github.com/psycopg/psycopg/issues/1188), in the server's language.
_LOGIN_TEXTS = (
    (("does not exist", "existiert nicht"), ("database", "atenbank"), _DATABASE),
    (("too many", "zu viele", "remaining connection slots", "restlichen"), ("",), _CROWDED),
    (("starting up", "shutting down", "startet gerade", "fährt herunter", "recovery", "ist am"), ("",), _STARTING),
    (("permission denied", "keine Berechtigung"), ("database", "atenbank"), _RIGHTS),
    (("FATAL", "no password", "authentication"), ("",), _LOGIN),
)

# What a server notes of statements would otherwise hold wrapped keys, and parts of rows that were refused.
_QUIET = {
    "log_statement": "none",
    "log_duration": "off",
    "log_min_duration_statement": "-1",
    "log_min_duration_sample": "-1",
    "log_parameter_max_length": "0",
    "log_error_verbosity": "terse",
}


class PostgresDatabase(EngineDatabase):
    """A PostgreSQL database, connected to at first use. Every error leaves as `StoreError` with a static message."""

    _driver_error = psycopg.Error

    def __init__(
        self,
        name: str,
        url: str,
        main: Table,
        stranger: str,
        busy_seconds: float,
        rewritten: Sequence[str] = (),
        also: Sequence[Table] = (),
    ) -> None:
        """Connect to nothing yet.

        `url` is `postgresql://user:password@host:port/database`, with libpq's options behind a `?`
        (`sslmode=verify-full`). A lock is waited for `busy_seconds`, an answer six times as long. `rewritten` are the
        tables in which nothing of what was deleted may stay. Raises `StoreError` for what is no such URL.
        """
        self._url = parsed(name, url)
        self._rewritten = tuple(rewritten)
        self._prepared = False
        self._identity: tuple[object, ...] | None = None
        self._settings = {
            "lock_timeout": str(max(1, round(busy_seconds * 1000))),
            "statement_timeout": str(round(max(busy_seconds * 6, 5) * 1000)),
            "idle_in_transaction_session_timeout": "60000",
            "log_parameter_max_length_on_error": "0",
        }
        engine = create_engine(
            self._url,
            isolation_level="READ COMMITTED",
            # SQLAlchemy's messages otherwise quote what was to be written.
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=5,
            max_overflow=10,
            pool_timeout=max(busy_seconds, 1),
            connect_args={
                # Two seconds are the least that libpq takes.
                "connect_timeout": max(2, math.ceil(busy_seconds)),
                "application_name": "anruflotse",
                # A server that vanished from the network is noticed after about ten seconds.
                "keepalives": 1,
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
                "tcp_user_timeout": 10_000,
            },
        )
        event.listen(engine, "connect", self._configure)
        super().__init__(name, main, stranger, engine, also)

    @property
    def place(self) -> str:
        """Host, port and name of the database."""
        host = self._url.host or self._url.query.get("host") or "local"
        hosts = host if isinstance(host, str) else ",".join(host)
        return f"{hosts}{f':{self._url.port}' if self._url.port else ''}/{self._url.database}"

    def in_place(self) -> bool:
        """See `Database.in_place`: after a connection was lost, or a restart, it may be another, restored one."""
        if not self._prepared:
            self._engine.dispose()
        return self._prepared

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """See `Database.alone`."""
        with self.write() as connection:
            _lock(connection, _OPENING_LOCK)
            yield

    def prepare(self) -> None:
        """See `Database.prepare`."""
        with self.write() as connection:
            _lock(connection, _MIGRATION_LOCK)
            self._migrate(connection)
        self._prepared = True

    def room(self) -> bool:
        """See `Database.room`: the server's disk cannot be seen from here; a write that finds it full is told."""
        return True

    def scrub(self) -> bool:
        """Let the space of deleted rows be used again (VACUUM), so that they are overwritten by what comes next.

        False when an older transaction may still see them. A table another process is vacuuming is left to it.
        """
        if not self._rewritten:
            return True
        self._maintain([f"VACUUM (SKIP_LOCKED) {table}" for table in self._rewritten])
        return True

    def rewrite(self) -> None:
        """Write the tables that matter anew (VACUUM FULL) and drop the old files (CHECKPOINT, where it is allowed).

        Locks these tables meanwhile (measured on two busy cores: 1 s for each 100,000 keys); what has to wait longer
        than its time-out fails. Gives up, as `StoreError`, when the lock is not to be had. The segments of the
        write-ahead log are recycled in the server's own time.
        """
        if not self._rewritten:
            return
        self._maintain([f"VACUUM FULL {table}" for table in self._rewritten])
        with self.read() as connection:
            may = connection.exec_driver_sql(_MAY_CHECKPOINT).scalar_one()
        if may:  # otherwise the server does so by itself within checkpoint_timeout
            self._maintain(["CHECKPOINT"])

    def exposures(self) -> tuple[str, ...]:
        """See `Database.exposures`: archives of the write-ahead log, idle replication slots, parameters in the log."""
        found: list[str] = []
        with self.read() as connection:
            facts = connection.exec_driver_sql(_EXPOSURES).one()
        if self._rewritten and facts.archived:
            found.append(
                "The write-ahead log of the key store is archived, which keeps destroyed keys: "
                "give it a server of its own with archive_mode = off."
            )
        if self._rewritten and facts.idle:
            found.append(
                "A replication slot nobody reads makes the key store's server keep its write-ahead log, and "
                "destroyed keys in it: drop the slot (pg_drop_replication_slot)."
            )
        if facts.logged or facts.detailed:
            found.append(
                f"The server of the {self.name} may note stored values in its log: as its administrator, "
                "ALTER ROLE … SET log_error_verbosity = 'terse' and SET log_parameter_max_length = 0."
            )
        return tuple(found)

    def _maintain(self, statements: Sequence[str]) -> None:
        """Run statements that stand outside transactions and may take their time."""
        with self._translated() as progress, self._engine.connect() as connection:
            progress.connected = True
            free = connection.execution_options(isolation_level="AUTOCOMMIT")
            free.exec_driver_sql("SET statement_timeout = 0")
            free.exec_driver_sql("SET maintenance_work_mem = '256MB'")
            try:
                for statement in statements:
                    free.exec_driver_sql(statement)
            finally:
                if not free.invalidated:
                    free.exec_driver_sql(f"SET statement_timeout = {self._settings['statement_timeout']}")
                    free.exec_driver_sql("RESET maintenance_work_mem")

    def _configure(self, connection: psycopg.Connection[tuple[object, ...]], _record: object) -> None:
        """Set up a new connection: time-outs, durability, and silence of the server's log where the user may ask it."""
        connection.autocommit = True
        wanted = list(self._settings.items())
        connection.execute(
            "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted(name, value)",
            ([name for name, _ in wanted], [value for _, value in wanted]),
        )
        # A destroyed key must stay destroyed after a power cut.
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
        )
        may = (
            "has_parameter_privilege(name, 'SET')"
            if connection.info.server_version >= 150_000  # noqa: PLR2004 - the version that has it
            else "current_setting('is_superuser') = 'on'"
        )
        connection.execute(
            f"SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS wanted(name, value) WHERE {may}",  # noqa: S608, E501 - one of the two above
            (list(_QUIET), list(_QUIET.values())),
        )
        identity = connection.execute(_IDENTITY).fetchone()
        if identity != self._identity:
            # The server was started anew, or the database is another of the same name: it may come from a backup.
            self._identity, self._prepared = identity, False
        connection.autocommit = False

    def _told(self, error: BaseException, progress: Progress) -> str:
        if isinstance(error, PoolTimeoutError):
            return _CROWDED
        code = getattr(error, "sqlstate", None) or ""
        if code.startswith(_GONE) or not code:
            self._prepared = False
        if not code and not progress.connected:
            return _login_failure(str(error))
        told = next((_MESSAGES[code[:length]] for length in (5, 3, 2) if code[:length] in _MESSAGES), None)
        if told is None and not code and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            told = _LOST
        if told is _LOST and progress.committing:
            return _UNKNOWN
        return told or "unexpected error, see doctor"


def parsed(name: str, url: str) -> URL:
    """A PostgreSQL URL for SQLAlchemy with psycopg. Raises `StoreError`, which does not quote it."""
    try:
        found = make_url(url)
        if found.drivername == "postgresql" and found.database:
            return found.set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        pass
    message = f"The URL of the {name} must look like postgresql://user:password@host:5432/database."
    raise StoreError(message)


def _login_failure(text: str) -> str:
    for told, about, message in _LOGIN_TEXTS:
        if any(part in text for part in told) and any(part in text for part in about):
            return message
    return _UNREACHABLE


def _lock(connection: Connection, key: int) -> None:
    """Hold an advisory lock until the end of the transaction, and let what follows take its time."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_OPENING_SECONDS * 1000}")
    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({key})")
