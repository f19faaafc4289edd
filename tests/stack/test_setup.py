"""Set-up: pip's configuration reaches uv, and what is done is not done again."""

from __future__ import annotations

from pathlib import Path

import pytest

from stack import setup

LISTED = """\
:env:.find-links='/wheels'
global.cert='/certs.pem'
global.extra-index-url='https://a.example/simple https://b.example/simple'
global.find-links='/other'
install.index-url='https://c.example/simple'
global.index-url='https://d.example/simple'
"""


def test_pips_configuration_is_read_as_pip_reads_it() -> None:
    assert setup.read_pip_settings(LISTED) == {
        "find-links": ["/wheels"],
        "cert": "/certs.pem",
        "extra-index-url": ["https://a.example/simple", "https://b.example/simple"],
        "index-url": "https://c.example/simple",
    }


def test_uv_is_given_the_same_sources() -> None:
    flags = setup.uv_flags(setup.read_pip_settings(LISTED))
    assert flags == [
        "--index-strategy", "unsafe-best-match",
        "--default-index", "https://c.example/simple",
        "--index", "https://a.example/simple", "--index", "https://b.example/simple",
        "--find-links", "/wheels",
    ]  # fmt: skip


def test_uv_does_not_fetch_a_python_and_gets_the_certificates(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    environment = setup.uv_environment({"cert": "/certs.pem"})
    assert environment["UV_PYTHON_DOWNLOADS"] == "never"
    assert environment["SSL_CERT_FILE"] == "/certs.pem"


def test_a_change_of_the_requirements_undoes_the_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements, python = tmp_path / "requirements.txt", tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.touch()
    requirements.write_text("a==1\n")
    for name, value in (("VENV", tmp_path), ("REQUIREMENTS", requirements), ("STAMP", tmp_path / "stamp")):
        monkeypatch.setattr(setup, name, value)
    assert not setup.is_done()
    setup.STAMP.write_text(setup.wanted())
    assert setup.is_done()
    requirements.write_text("a==2\n")
    assert not setup.is_done()


def test_another_python_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(setup, "PYTHON", (3, 99))
    assert setup.main() == 1
    assert "make setup PYTHON=" in capsys.readouterr().err


def test_a_full_disk_is_told_before_anything_is_written(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(setup, "STAMP", tmp_path / "none")
    monkeypatch.setattr(setup, "NEEDED_GIB", 10**9)
    assert setup.main() == 1
    assert "GiB are free" in capsys.readouterr().err


def test_every_pin_is_exact_and_every_direct_dependency_is_pinned() -> None:
    pins = [line for line in setup.REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]
    assert all(line.count("==") == 1 for line in pins)
    pinned = {line.partition("==")[0] for line in pins}
    direct = (setup.ROOT / "requirements.in").read_text().splitlines()
    names = {line.split("#")[0].split("=")[0].split("[")[0].split(">")[0].strip().lower() for line in direct}
    assert names - {""} <= pinned
