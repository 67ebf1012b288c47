"""The table of what is missing: every column is spelled here and nowhere else."""

from typing import Final

import pandera.pandas as pa

FEED_WITHOUT_FILES: Final = "feed_without_files"
NAME_IN_OTHER_CASE: Final = "name_in_other_case"
NOT_RECORDED: Final = "not_recorded"
DAY_NOT_OVER: Final = "day_not_over"
CHANNEL_ENDED: Final = "channel_ended"
CLOSED: Final = "closed"
LONELY_DATE: Final = "lonely_date"
FILES_NOT_TAKEN: Final = "files_not_taken"
GAP_KINDS: Final = (
    FEED_WITHOUT_FILES,
    NAME_IN_OTHER_CASE,
    NOT_RECORDED,
    DAY_NOT_OVER,
    CHANNEL_ENDED,
    CLOSED,
    LONELY_DATE,
    FILES_NOT_TAKEN,
)
"""What can be missing, in the order in which it is told."""

KIND: Final = "kind"
SUBJECT: Final = "subject"
CHANNEL: Final = "channel"
FIRST_DATE: Final = "first_date"
LAST_DATE: Final = "last_date"
IS_LAST: Final = "is_last"
MESSAGE: Final = "message"
NEXT_STEP: Final = "next_step"


class DataGaps(pa.DataFrameModel):
    """One row a thing that is missing: a file, days of a channel, the end of a day, or a right date."""

    kind: str = pa.Field(isin=GAP_KINDS)
    subject: str = pa.Field(str_length={"min_value": 1}, description="Feed, file, or channel and days.")
    channel: str = pa.Field(nullable=True, description="Of whose days it is; null where it is about files.")
    first_date: pa.DateTime = pa.Field(nullable=True, description="First day that is missing, in the shop's zone.")
    last_date: pa.DateTime = pa.Field(nullable=True, description="Last one.")
    is_last: bool = pa.Field(description="It lasts to the shop's last whole day.")
    message: str = pa.Field(description="What is missing and how it counts, in a sentence.")
    next_step: str = pa.Field(description="One thing to do about it.")

    class Config:
        """One row a kind and subject."""

        unique = ["kind", "subject"]  # noqa: RUF012 - pandera's spelling
