"""Files that no feed takes, and feeds that take no file: a wrong name is the commonest reason why data are missing."""

import difflib
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, Final

from storecast.ingestion.landing.files import shown
from storecast.ingestion.missing import contracts as c
from storecast.ingestion.sources.base import Feed, Source

SHOWN: Final = 5
NEAREST: Final = 3
ALIKE: Final = 0.5
"""How alike a file's name and a pattern must be, from 0 to 1, for the one to be meant by the other."""
NO_DATA: Final = {".toml", ".md"}
"""Endings of mappings and of notes."""


def missing_files(source: Source, data_dir: Path) -> list[dict[str, Any]]:
    """Say which feeds take no file, whose names differ only in case, and which files nobody takes.

    Looked at are the folders in which feeds look, but nothing below `data_dir` and no mappings or notes.
    """
    folder = source.folder.resolve()
    taken = {feed.name: _visible(folder.glob(feed.pattern, case_sensitive=True), data_dir) for feed in source.feeds}
    every_taken = set().union(*taken.values())
    lying = {path for feed in source.feeds for path in _beside(feed, folder, data_dir)} - every_taken
    others = {
        feed.name: _visible(folder.glob(feed.pattern, case_sensitive=False), data_dir) & lying for feed in source.feeds
    }
    unknown = _names(lying - set().union(*others.values()), folder)
    found = [_in_other_case(feed, _names(others[feed.name], folder)) for feed in source.feeds if others[feed.name]]
    found += [_without_files(feed, unknown) for feed in source.feeds if not taken[feed.name] and not others[feed.name]]
    return [*found, *([_not_taken(unknown)] if unknown else [])]


def _beside(feed: Feed, folder: Path, data_dir: Path) -> set[Path]:
    """The files of the folders in which a feed looks."""
    parent = PurePosixPath(feed.pattern).parent
    folders = folder.glob(parent.as_posix(), case_sensitive=False) if parent.parts else [folder]
    return {path for place in folders if place.is_dir() for path in _visible(place.iterdir(), data_dir)}


def _visible(paths: Iterable[Path], data_dir: Path) -> set[Path]:
    own = data_dir.resolve()
    return {
        path
        for path in paths
        if not path.name.startswith((".", "~$"))
        and path.suffix.lower() not in NO_DATA
        and not path.is_relative_to(own)
        and path.is_file()
    }


def _names(paths: Iterable[Path], folder: Path) -> list[str]:
    return sorted(shown(path.relative_to(folder)) for path in paths)


def _without_files(feed: Feed, unknown: list[str]) -> dict[str, Any]:
    near = difflib.get_close_matches(feed.pattern, unknown, NEAREST, ALIKE)
    told = f"; nearest to that: {', '.join(near)}, which no feed takes" if near else ""
    step = f'write e.g. `files = "{_pattern_of(near[0])}"` for it' if near else "correct its `files`"
    return _gap(
        c.FEED_WITHOUT_FILES,
        f"feed {feed.name}",
        f"feed {feed.name} has no data: no file is called {feed.pattern}{told}",
        f"{step}, or take the feed out of the mapping",
    )


def _in_other_case(feed: Feed, names: list[str]) -> dict[str, Any]:
    are = "differs" if len(names) == 1 else "differ"
    return _gap(
        c.NAME_IN_OTHER_CASE,
        f"feed {feed.name}: {_listed(names)}",
        f"{_listed(names)} {are} from {feed.pattern} of feed {feed.name} only in upper and lower case: no feed takes "
        f"{'it' if len(names) == 1 else 'them'}",
        f'rename, or write `files = "{either_case(feed.pattern, names)}"` for the feed',
    )


def _not_taken(names: list[str]) -> dict[str, Any]:
    are = "file is" if len(names) == 1 else "files are"
    return _gap(
        c.FILES_NOT_TAKEN,
        "files that no feed takes",
        f"{len(names):,} {are} taken by no feed: {_listed(names)}",
        "map what belongs to the shop with a `[[feeds]]` of its own",
    )


def _gap(kind: str, subject: str, message: str, next_step: str) -> dict[str, Any]:
    return {c.KIND: kind, c.SUBJECT: subject, c.IS_LAST: False, c.MESSAGE: message, c.NEXT_STEP: next_step}


def _listed(names: list[str]) -> str:
    """Return the first names and how many more there are.

    >>> _listed(list("abcdefg"))
    'a, b, c, d, e and 2 more'
    """
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _pattern_of(name: str) -> str:
    """Return a pattern that takes files called like one, whatever number they have.

    >>> _pattern_of("market-2026-08.csv")
    'market-*.csv'
    """
    path = PurePosixPath(name)
    return path.with_name(re.sub(r"\d[\d._-]*", "*", path.stem) + path.suffix).as_posix()


def either_case(pattern: str, names: Iterable[str]) -> str:
    """Return a pattern that takes names in whatever case: in the ending alone where that is enough.

    >>> either_case("web-*.csv", ["web-09.CSV"]), either_case("web.csv", ["Web.csv"])
    ('web-*.[cC][sS][vV]', '[wW][eE][bB].[cC][sS][vV]')
    """
    ending = PurePosixPath(pattern).suffix
    stem = pattern.removesuffix(ending)
    is_enough = ending and all(fnmatchcase(name[: -len(ending)], stem) for name in names)
    return (stem if is_enough else "".join(_cased(stem))) + "".join(_cased(ending))


def _cased(text: str) -> Iterator[str]:
    for letter in text:
        yield f"[{letter.lower()}{letter.upper()}]" if letter.lower() != letter.upper() else letter
