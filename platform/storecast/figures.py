"""Figures for an asset's metadata, where a picture says more."""

import base64
import io

from matplotlib.figure import Figure


def as_markdown(figure: Figure, text: str) -> str:
    """Return a figure as a Markdown image that carries its own pixels; `text` is read where it cannot be shown."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return f"![{text}](data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()})"
