from pathlib import Path

from storecast.ingestion.reading.json_lines import read_json_lines
from storecast.ingestion.reading.rows import Tally


def test_json_lines_come_with_number_and_text_and_broken_bytes_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b'\xef\xbb\xbf{"a": 1}\r\n\n  \n{"b": \xff}\n{"c": 3}')
    assert list(read_json_lines(path, tally := Tally())) == [
        (1, None, '{"a": 1}'),
        (2, '["not UTF-8 at byte 7 of the line", "{\\"b\\": \\\\xff}"]', None),
        (3, None, '{"c": 3}'),
    ]
    assert (tally.rows, tally.other_lines) == (3, 1)
