"""How an export writes numbers, moments and text: one dialect a feed, drawn at random."""

import random
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

Kind = Literal["csv", "excel", "jsonl", "parquet"]
Quoting = Literal["minimal", "all", "none"]
ENDINGS: Final[dict[Kind, str]] = {"csv": ".csv", "excel": ".xlsx", "jsonl": ".jsonl", "parquet": ".parquet"}
SIGNS: Final = {"EUR": "€", "GBP": "£", "USD": "$"}
NO_BREAK: Final = "\u00a0"
EXCEL_DAY_ZERO: Final = datetime(1899, 12, 30)

MOMENTS: Final[dict[str, str | None]] = {
    "iso": None,
    "iso_t": None,
    "iso_minutes": None,
    "iso_offset": None,
    "iso_offset_short": None,
    "iso_offset_spaced": None,
    "iso_z": None,
    "iso_z_minutes": None,
    "iso_z_millis": None,
    "utc_word": None,
    "day_dot": "%d.%m.%Y %H:%M",
    "day_slash": "%d/%m/%Y %H:%M:%S",
    "day_short_year": "%d.%m.%y %H:%M",
    "month_slash": "%m/%d/%Y %H:%M",
    "month_name": "%b %d, %Y %I:%M:%S %p",
    "spaced_z": "%Y-%m-%d %H:%M:%S %z",
    "zone_word": "%d/%m/%Y %H:%M:%S %Z",
    "epoch": None,
    "epoch_millis": None,
    "excel_serial": None,
}
"""How moments are written, and the date format that a mapping needs for it, None where the text says it itself."""

DAYS: Final[dict[str, str | None]] = {
    "iso": None,
    "day_dot": "%d.%m.%Y",
    "day_slash": "%d/%m/%Y",
    "month_slash": "%m/%d/%Y",
    "month_name": "%b %d, %Y",
    "iso_midnight": None,
    "excel_serial": None,
}

_STRFTIME: Final = {
    "iso": "%Y-%m-%d %H:%M:%S",
    "iso_t": "%Y-%m-%dT%H:%M:%S",
    "iso_minutes": "%Y-%m-%d %H:%M",
    "iso_offset": "%Y-%m-%dT%H:%M:%S%:z",
    "iso_offset_short": "%Y-%m-%dT%H:%M:%S%z",
    "iso_offset_spaced": "%Y-%m-%d %H:%M:%S %z",
    "spaced_z": "%Y-%m-%d %H:%M:%S %z",
    "zone_word": "%d/%m/%Y %H:%M:%S %Z",
}
_IN_UTC: Final = {
    "iso_z": "%Y-%m-%dT%H:%M:%SZ",
    "iso_z_minutes": "%Y-%m-%dT%H:%MZ",
    "iso_z_millis": "%Y-%m-%dT%H:%M:%S.123Z",
    "utc_word": "%Y-%m-%d %H:%M:%S UTC",
}


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    `sign` holds `{}` where the amount stands; `says_decimal` and `says_quote` tell whether the mapping names what the
    file shows by itself; `is_typed` whether a workbook holds numbers and moments as such.
    """

    kind: Kind = "csv"
    ending: str = ".csv"
    delimiter: str = ","
    encoding: str = "utf-8"
    says_encoding: bool = False
    quoting: Quoting = "minimal"
    newline: str = "\n"
    decimal: str = "."
    thousands: str = ""
    sign: str = "{}"
    says_decimal: bool = False
    moment: str = "iso"
    day: str = "iso"
    moment_format: str | None = None
    is_typed: bool = True
    has_opening_quotes: bool = False
    says_quote: bool = False

    def keys(self, *, of_days: bool) -> dict[str, Any]:
        """The keys of a mapping that a reasonable person writes for it."""
        keys: dict[str, Any] = {}
        if self.kind == "csv":
            keys = self._keys_of_text()
        written = self.moment_format or (DAYS if of_days else MOMENTS)[self.day if of_days else self.moment]
        if written and (self.kind in {"csv", "jsonl"} or not self.is_typed):
            keys["date_format"] = written
        return keys

    def _keys_of_text(self) -> dict[str, Any]:
        keys: dict[str, Any] = {}
        if self.ending not in {".csv", ".txt"}:
            keys["format"] = "csv"
        if self.delimiter != ",":
            keys["delimiter"] = self.delimiter
        if self.says_encoding:
            keys["encoding"] = self.encoding
        if self.says_decimal:
            keys["decimal"] = self.decimal
        if self.says_quote:
            keys["quote"] = "none"
        return keys


def dialect_of(rng: random.Random, kind: Kind, currency: str, *, moments: tuple[str, ...] = ()) -> Dialect:
    """Draw a dialect."""
    moment = rng.choice(moments or tuple(MOMENTS))
    day = rng.choice(tuple(DAYS))
    if kind != "csv":
        is_typed = rng.random() < 0.6
        plain = moment if moment not in {"epoch", "epoch_millis", "excel_serial"} else "iso"
        return Dialect(kind, ENDINGS[kind], moment=plain, day=day if is_typed else "iso", is_typed=is_typed)
    delimiter = rng.choice((",", ",", ";", "\t", "|"))
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16"))
    quotings: tuple[Quoting, ...] = ("minimal", "minimal", "all", "none")
    quoting = rng.choice(quotings)
    if delimiter == "," and "month_name" in (moment, day):
        quoting = "minimal"
    decimal, thousands = _separators(rng, delimiter if quoting == "none" else "")
    sign = _sign(rng, currency)
    has_opening_quotes = quoting == "none" and rng.random() < 0.4
    return Dialect(
        "csv",
        rng.choice((".csv", ".csv", ".txt", ".tsv" if delimiter == "\t" else ".csv")),
        delimiter,
        encoding,
        encoding in {"cp1252", "utf-16"} or (encoding == "utf-8-sig" and rng.random() < 0.5),
        quoting,
        rng.choice(("\n", "\r\n")),
        decimal,
        thousands,
        sign,
        decimal == "," and rng.random() < 0.7,
        moment,
        day,
        has_opening_quotes=has_opening_quotes,
        says_quote=has_opening_quotes and rng.random() < 0.7,
    )


def _separators(rng: random.Random, unquoted_delimiter: str) -> tuple[str, str]:
    """Decimal and thousands separators; none is the delimiter of a file that quotes nothing."""
    both = [(".", ""), (".", ","), (".", "'"), (",", ""), (",", "."), (",", NO_BREAK), (",", " ")]
    return rng.choice([pair for pair in both if not unquoted_delimiter or unquoted_delimiter not in pair])


def _sign(rng: random.Random, currency: str) -> str:
    sign = SIGNS[currency]
    return rng.choice(("{}", "{}", "{}", f"{sign}{{}}", f"{{}} {sign}", f"{{}}{NO_BREAK}{sign}", f"{sign} {{}}"))


def amount_text(value: Decimal, dialect: Dialect) -> str:
    """Write an amount of money.

    >>> amount_text(Decimal("1299"), Dialect(decimal=",", thousands=".", sign="{} €"))
    '1.299,00 €'
    """
    sign = "-" if value < 0 else ""
    whole, _, cents = f"{abs(value):.2f}".partition(".")
    groups = f"{int(whole):,}".replace(",", dialect.thousands)
    return sign + dialect.sign.format(groups + dialect.decimal + cents)


def number_text(value: Decimal, dialect: Dialect) -> str:
    """Write a quantity: whole as such, else with three places."""
    if value == value.to_integral_value():
        return str(int(value))
    return f"{value:.3f}".replace(".", dialect.decimal)


def moment_text(at: datetime, style: str) -> str:
    """Write a moment that knows its zone."""
    if style in _STRFTIME:
        return at.strftime(_STRFTIME[style])
    if style in _IN_UTC:
        return at.astimezone(UTC).strftime(_IN_UTC[style])
    if style == "epoch":
        return str(int(at.timestamp()))
    if style == "epoch_millis":
        return str(int(at.timestamp()) * 1000)
    if style == "excel_serial":
        return f"{excel_serial(at):.6f}"
    return at.strftime(str(MOMENTS[style]))


def day_text(day: date, style: str) -> str:
    """Write a day."""
    if style == "excel_serial":
        return str((day - EXCEL_DAY_ZERO.date()).days)
    if style in {"iso", "iso_midnight"}:
        return day.isoformat() + (" 00:00:00" if style == "iso_midnight" else "")
    return day.strftime(str(DAYS[style]))


def excel_serial(at: datetime) -> float:
    """Days since Excel's day zero, by the clock on the wall."""
    return (at.replace(tzinfo=None) - EXCEL_DAY_ZERO).total_seconds() / 86_400


def in_zone(zone: str, at: datetime) -> datetime:
    """The same instant by another clock."""
    return at.astimezone(ZoneInfo(zone))
