"""The private PostgreSQL of tests and measurements."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from anruflotse.bench import cluster as module
from anruflotse.bench.cluster import INSTALL, ClusterError, cluster

KILLED = """
import os, signal
from anruflotse.bench.cluster import cluster

with cluster(durable=False) as server:
    print(server.port, server.directory, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_missing_server_is_told_with_the_line_that_installs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PROGRAMS", tmp_path)
    with pytest.raises(ClusterError, match=INSTALL), cluster():
        pass


def test_a_server_ends_with_whoever_started_it_even_if_killed() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    port, directory = done.stdout.split()
    pause = threading.Event()
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(port))):
                    return
            pause.wait(0.02)
        pytest.fail("the server outlived the process that started it")
    finally:
        shutil.rmtree(directory, ignore_errors=True)  # it may still be shutting down
