"""Ids as exports write them: blanks around one are no part of it, nor is the `.0` of a whole number once a float."""

from dataclasses import dataclass

from storecast.ingestion.values.formats import are_few

_WHOLE = r"-?\d+\.0"
_BROKEN = r"-?\d+\.\d*[1-9]\d*"


@dataclass(frozen=True)
class Evidence:
    """Cells of a column of ids: all, those that are whole floats (`4711.0`), other floats (`1.5`), and `nan`."""

    filled: int
    whole: int
    broken: int
    missing: int

    @property
    def were_floats(self) -> bool:
        """Whether the ids are whole numbers that went through a float: nearly all end in `.0`, none has decimals."""
        return self.whole > 0 and not self.broken and are_few(self.filled - self.whole - self.missing, self.filled)


def evidence_sql(expression: str) -> str:
    """Return the four counts of `Evidence` as SQL aggregates."""
    return (
        f"count(nullif({expression}, '')), count(*) FILTER (regexp_full_match({expression}, '{_WHOLE}')), "
        f"count(*) FILTER (regexp_full_match({expression}, '{_BROKEN}')), "
        f"count(*) FILTER (lower({expression}) = 'nan')"
    )


def canonical(expression: str, evidence: Evidence) -> str:
    """Write ids without the `.0` of a float, and nothing where the float was none."""
    if not evidence.were_floats:
        return expression
    return (
        f"CASE WHEN lower({expression}) = 'nan' THEN '' ELSE regexp_replace({expression}, '^(-?\\d+)\\.0$', '\\1') END"
    )


def folded(expression: str) -> str:
    """Return what ids have in common that differ only by blanks, the `.0` of a float or zeros in front."""
    return f"regexp_replace(regexp_replace(trim({expression}), '\\.0$', ''), '^0+(\\d)', '\\1')"
