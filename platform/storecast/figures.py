"""Figures for an asset's metadata, where a picture says more."""

import base64
import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(width_inches: float, height_inches: float) -> "Figure":
    """Return an empty figure."""
    # Matplotlib writes a cache when it is imported: loading the graph shall write nothing.
    from matplotlib.figure import Figure  # noqa: PLC0415

    return Figure(figsize=(width_inches, height_inches), layout="constrained")


def drawable(text: str) -> str:
    r"""Return a text with a `?` for each character that the figures' font cannot draw: names are hostile input.

    >>> drawable("a tab\t, a glyph it has: \u20ac, one it has not: \u4e2d")
    'a tab?, a glyph it has: €, one it has not: ?'
    """
    from matplotlib.font_manager import FontProperties, findfont, get_font  # noqa: PLC0415

    font = get_font(findfont(FontProperties()))
    return "".join(letter if font.get_char_index(ord(letter)) else "?" for letter in text)


def as_markdown(figure: "Figure", text: str) -> str:
    """Return a figure as a Markdown image that carries its own pixels; `text` is read where it cannot be shown."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return f"![{text}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
