"""What the stack chooses before it starts anything: Java, ports, folders, secrets."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from stack import home, java, keys, ports
from stack.environment import airflow_environment, base_environment, pools


def java_of_version(folder: Path, version: str) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "java").write_text("#!/bin/sh\n")
    (folder / "bin" / "java").chmod(0o755)
    (folder / "release").write_text(f'JAVA_VERSION="{version}"\n')
    return folder


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('JAVA_VERSION="17.0.15"', 17),
        ('openjdk version "21" 2023-09-19', 21),
        ('java version "1.8.0_392"', 8),
        ("", None),
    ],
)
def test_a_java_version_is_read_in_all_its_forms(text: str, major: int | None) -> None:
    assert java.parse_version(text) == major


def test_java_home_is_taken_where_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_of_version(tmp_path / "jdk", "17.0.15")))
    assert java.java_home(tmp_path) == tmp_path / "jdk"


@pytest.mark.parametrize("version", ["1.8.0_392", "11.0.2", "25.0.2"])
def test_a_java_that_spark_cannot_use_is_passed_over(
    version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_of_version(tmp_path / "jdk", version)))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert java.java_home(tmp_path / "state") == tmp_path / "state" / "java"


def test_without_any_java_the_wheel_stands_in_and_its_shim_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setattr(java, "candidates", lambda: [])
    shim = java.java_home(tmp_path) / "bin" / "java"
    assert stat.S_IMODE(shim.stat().st_mode) == 0o755
    assert java.parse_version(java.ask_version(shim)) == 21


def test_a_port_in_use_gives_the_next_free_one() -> None:
    with socket.socket() as taken:
        taken.bind((ports.HOST, 0))
        taken.listen()
        number = taken.getsockname()[1]
        reservation = ports.PortReservation()
        assert reservation.take(number) > number
        reservation.release()


def test_two_stacks_that_start_at_once_get_different_ports() -> None:
    first, second = ports.PortReservation(), ports.PortReservation()
    assert first.take(20180) != second.take(20180)
    first.release()
    second.release()


def test_a_key_is_made_once_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    made = keys.key(tmp_path, "fernet_key")
    assert keys.key(tmp_path, "fernet_key") == made
    assert len(made) == 44  # 32 bytes in base64: what Fernet asks for
    assert stat.S_IMODE((tmp_path / "fernet_key").stat().st_mode) == 0o600
    assert keys.key(tmp_path, "other") != made


def test_a_file_that_was_readable_is_private_after_it_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("old")
    (tmp_path / "secret").chmod(0o644)
    keys.write_private(tmp_path / "secret", "new")
    assert stat.S_IMODE((tmp_path / "secret").stat().st_mode) == 0o600


def test_a_deep_state_folder_gets_sockets_in_a_short_one() -> None:
    shallow, deep = Path("/srv/notemill/state"), Path("/srv") / ("x" * 90)
    assert home.run_folder(shallow) == shallow / "run"
    assert len(str(home.run_folder(deep) / "postgres" / ".s.PGSQL.65535.lock")) <= home.SOCKET_PATH_LIMIT


def test_a_socket_folder_that_someone_else_could_have_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(home.StackError, match="is not a folder of this user"):
        home.make_private(tmp_path / "link")


def test_each_configuration_has_a_stack_of_its_own(tmp_path: Path) -> None:
    one, other = tmp_path / "one" / "config.yaml", tmp_path / "other" / "config.yaml"
    assert home.home_of(one).state != home.home_of(other).state
    assert home.home_of(one) == home.home_of(tmp_path / "one" / ".." / "one" / "config.yaml")


def test_no_process_gets_a_secret_of_airflow_by_its_environment(tmp_path: Path) -> None:
    place = home.home_at(tmp_path)
    environment = base_environment(place, tmp_path) | airflow_environment(place, "postgresql://", 8080, schedule=False)
    secret = ("FERNET_KEY", "JWT_SECRET", "SECRET_KEY", "PASSWORD")
    assert [name for name in environment if name.startswith("AIRFLOW__") and name.endswith(secret)] == []
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"


def test_what_the_user_has_set_stays_except_the_addresses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__PARALLELISM", "1")
    monkeypatch.setenv("AIRFLOW__API__HOST", "0.0.0.0")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    place = home.home_at(tmp_path)
    environment = base_environment(place, tmp_path) | airflow_environment(place, "postgresql://", 8080, schedule=False)
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "1"
    assert environment["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert environment["HF_HUB_OFFLINE"] == "0"


def test_what_may_not_run_side_by_side_has_one_slot() -> None:
    one = {name for name, slots in pools().items() if slots == 1}
    assert one - {"spark"} == {"ids", "vocabulary", "teacher", "training", "embedding"}
