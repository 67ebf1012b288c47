"""What reaches a terminal: names and cells are hostile input, and a terminal obeys control characters."""


def visible(text: str) -> str:
    r"""Return a text in which what is no line end and cannot be seen is written as its code.

    >>> print(visible("a bell \a, a colour \x1b[31m, text that runs backwards \u202e, Größe 中"))
    a bell \x07, a colour \x1b[31m, text that runs backwards \u202e, Größe 中
    """
    return "".join(
        sign if sign.isprintable() or sign == "\n" else sign.encode("unicode_escape").decode() for sign in text
    )
