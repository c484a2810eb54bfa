"""python -m infra.health URL: exit code 0 when a GET is answered 200, else 1 and the reason.

The standard library alone: a container engine starts it every few seconds, for every container.
"""

from __future__ import annotations

import http.client
import sys
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 3.0
GOOD, FOUND_WRONG, BAD_USAGE = 0, 1, 2
REASON_BYTES = 500


def main(arguments: list[str]) -> int:
    """The exit code; what is wrong goes to stderr, where the container engine keeps it."""
    if len(arguments) != 1 or not arguments[0].startswith("http://"):
        print("usage: python -m infra.health http://HOST:PORT/PATH", file=sys.stderr)  # noqa: T201
        return BAD_USAGE
    parts = urlsplit(arguments[0])
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", parts.path or "/")
        answer = connection.getresponse()
        said = answer.read(REASON_BYTES)
    except (OSError, http.client.HTTPException) as error:
        print(f"{arguments[0]}: {error}", file=sys.stderr)  # noqa: T201
        return FOUND_WRONG
    finally:
        connection.close()
    if answer.status != 200:
        text = said.decode("utf-8", "replace")
        print(f"{arguments[0]}: {answer.status} {text}", file=sys.stderr)  # noqa: T201
        return FOUND_WRONG
    return GOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
