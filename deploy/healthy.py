"""A health check without curl: ends with 0 where the address answers 200."""

from __future__ import annotations

import sys
from urllib.request import urlopen

with urlopen(sys.argv[1], timeout=4) as answer:
    sys.exit(0 if answer.status == 200 else 1)
