"""Write .env with secrets made on the spot; one that exists is left as it is."""

from __future__ import annotations

import base64
import os
import secrets
import sys
from pathlib import Path

PATH = Path(__file__).resolve().parent.parent / ".env"
NAMES = ("POSTGRES_PASSWORD", "AIRFLOW_SECRET_KEY", "AIRFLOW_JWT_SECRET", "SPARK_AUTH_SECRET")


def main() -> None:
    if PATH.exists():
        sys.exit(f"{PATH.name} exists and is left as it is; delete it to have new secrets made")
    lines = [f"{name}={secrets.token_hex(32)}" for name in NAMES]
    lines.append(f"AIRFLOW_FERNET_KEY={base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}")
    handle = os.open(PATH, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write("\n".join(lines) + "\n")
    sys.stdout.write(f"wrote {PATH.name} (readable by you alone)\n")


if __name__ == "__main__":
    main()
