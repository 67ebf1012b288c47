"""Right, refused or silently wrong: what the product made of an export, held against what is true."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

import pandas as pd

from benchmarks.exports.counting import rows_in
from benchmarks.exports.playing import MAPPING, UNNAMED, Outcome, Played
from benchmarks.exports.truth import Export, File, Key, Sums

Kind = Literal["right", "refused", "silently wrong"]
SOLD: Final = ("order_lines", "daily_sales")
PLACES: Final = ("row", "line", "column")


@dataclass(frozen=True)
class Verdict:
    """How one export was read, why, and whether each of its rows is accounted for (empty: yes)."""

    export: Export
    kind: Kind
    why: str
    account: str = ""


def verdicts(exports: Sequence[Export], outcome: Outcome) -> list[Verdict]:
    """Judge exports by what came of them."""
    return [
        _of_stopped(export, outcome.stopped[export.name])
        if export.name in outcome.stopped
        else verdict(export, outcome.played[export.name])
        for export in exports
    ]


def verdict(export: Export, played: Played) -> Verdict:
    """Judge an export that was read: what is kept must be the truth of the rows that are not set aside."""
    gone = _set_aside(export, played)
    account = _account(export, played)
    difference = _sums_of(export, played).differs(export.sums(gone))
    if difference:
        return Verdict(export, "silently wrong", difference, account)
    stays = {
        (file.name, number)
        for file in export.files
        for number, row in enumerate(file.rows, start=1)
        if row.fate == "stays"
    }
    lost = sorted(gone & stays)
    if not lost:
        return Verdict(export, "right", "", account)
    silent = sorted({name for name, _ in lost if name not in played.said} - _quarantined_files(export, played))
    if silent:
        return Verdict(export, "silently wrong", f"{silent[0]} is not read, and nothing says so", account)
    return Verdict(export, "refused", f"{len(lost)} rows of {lost[0][0]} that are right are set aside", account)


def _of_stopped(export: Export, error: str) -> Verdict:
    """A run that stops is a refusal where it names a key of the mapping, or a file and a row or a column of it."""
    if error.startswith(MAPPING):
        return Verdict(export, "refused", error)
    if error.startswith(UNNAMED):
        return Verdict(export, "silently wrong", error, "the run stopped")
    headers = [str(header) for feed in export.feeds for header in feed["columns"].values()]
    if any(file.name in error for file in export.files) and any(word in error for word in (*PLACES, *headers)):
        return Verdict(export, "refused", error)
    return Verdict(export, "silently wrong", f"the message names neither file nor place: {error}", "the run stopped")


def _sums_of(export: Export, played: Played) -> Sums:
    """What the product says was sold."""
    own = played.sales[played.sales["channel"].str.startswith(export.name)]
    units: dict[Key, Decimal] = defaultdict(Decimal)
    for row in own.itertuples():
        day = pd.Timestamp(row.date).date() if export.is_daily else None
        units[str(row.channel), str(row.product_id), day] += Decimal(repr(float(row.sold_units)))
    gross, net = (Decimal(repr(float(own[name].sum()))) for name in ("gross_revenue", "net_revenue"))
    return Sums({key: amount for key, amount in units.items() if amount}, gross, net)


def _set_aside(export: Export, played: Played) -> set[tuple[str, int]]:
    """The rows in quarantine, and those of files that were not read."""
    gone = set()
    for file in export.files:
        rows = played.quarantine[
            (played.quarantine["file_sha256"] == sha256(file)) & played.quarantine["entity"].isin(SOLD)
        ]
        gone |= {(file.name, int(number)) for number in rows["row_number"]}
        if not _counted(file, played):
            gone |= {(file.name, number) for number in range(1, len(file.rows) + 1)}
    return gone


def _quarantined_files(export: Export, played: Played) -> set[str]:
    """The names of files of which rows are in quarantine, with their reasons."""
    hashes = set(played.quarantine["file_sha256"])
    return {file.name for file in export.files if sha256(file) in hashes}


def _account(export: Export, played: Played) -> str:
    """Say of the first file whose rows do not add up; empty where all do, or the file is said not to be read."""
    for file in export.files:
        known, again, told = len(file.rows), rows_in(file), _counted(file, played)
        if not told and (not known or file.name in played.said):
            continue
        if not known == again == told:
            return f"{file.name}: {known} rows were written, {again} counted again, {told} told by the account"
    return ""


def _counted(file: File, played: Played) -> int:
    """The rows of a file that the product's account knows the whereabouts of."""
    account = played.account
    own = account[(account["file_sha256"] == sha256(file)) & account["entity"].isin(SOLD)]
    parts = [name for name in own.columns if name.startswith("rows_") and name != "rows_in"]
    return int(own[parts].to_numpy().sum())


def sha256(file: File) -> str:
    """The hash of a file's bytes."""
    return hashlib.sha256(file.content).hexdigest()
