"""JSON lines as rows of text; nothing is dropped, nothing trimmed."""

from collections.abc import Iterator
from pathlib import Path

from storecast.ingestion.reading.rows import Tally, malformed


def read_json_lines(stored: Path, tally: Tally) -> Iterator[tuple[int, str | None, str | None]]:
    """Return number, mark of what is malformed and text of each line that is not blank, and keep the tally."""
    number = 0
    with stored.open("rb") as file:
        for line in file:
            if not line.strip():
                tally.other_lines += line.strip(b"\r\n") != b""
                continue
            number += 1
            tally.rows = number
            try:
                yield number, None, line.rstrip(b"\r\n").decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                content = line.rstrip(b"\r\n").decode(errors="backslashreplace")
                yield number, malformed(f"not UTF-8 at byte {error.start + 1} of the line", content), None
