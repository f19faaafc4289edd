"""The embedded PostgreSQL, for real."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
import pytest
import sqlalchemy

from stack import unroot
from stack.home import home_at, make_folders
from stack.ports import PortReservation
from stack.postgres import Postgres


@contextmanager
def running(postgres: Postgres) -> Iterator[subprocess.Popen[bytes]]:
    make_folders(postgres.home)
    postgres.prepare()
    with postgres.log.open("ab") as log:
        process = subprocess.Popen(
            postgres.command(), stdout=log, stderr=log, preexec_fn=unroot.before_exec(), cwd="/", start_new_session=True
        )
    postgres.wait()
    yield process
    process.send_signal(signal.SIGINT)
    assert process.wait(20) in (0, -signal.SIGKILL)


def one(url: str, query: str) -> object:
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        found = connection.execute(sqlalchemy.text(query))
        value = found.scalar() if found.returns_rows else None
    engine.dispose()
    return value


def test_it_keeps_what_was_written_through_a_kill(tmp_path: Path) -> None:
    postgres = Postgres(home_at(tmp_path))
    with running(postgres) as process:
        one(postgres.url(), "create table t as select 7 as x")
        one(postgres.url(), "checkpoint")
        process.kill()
    with running(postgres):
        assert one(postgres.url(), "select x from t") == 7
    assert stat.S_IMODE(postgres.socket_folder.stat().st_mode) == 0o700


def test_it_does_not_run_as_root_even_if_we_do(tmp_path: Path) -> None:
    with running(Postgres(home_at(tmp_path))) as process:
        assert os.stat(f"/proc/{process.pid}").st_uid != 0


def test_over_tcp_it_wants_its_password(tmp_path: Path) -> None:
    ports = PortReservation()
    postgres = Postgres(home_at(tmp_path), ports.take(25432))
    with running(postgres):
        assert one(postgres.tcp_url(), "select 1") == 1
        with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
            psycopg2.connect(
                host="127.0.0.1", port=postgres.tcp_port, user="postgres", password="postgres", dbname="airflow"
            )
    ports.release()
