"""Memory that is free again: allocators keep it for later, and a run of many steps would hold what its largest took."""

import ctypes
import sys
from typing import Final

import pyarrow

GLIBC: Final = sys.platform == "linux"


def give_back_memory() -> None:
    """Give pages that nothing lies on any more back to the system; it takes milliseconds."""
    pyarrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if GLIBC else None  # musl has none
    if trim is not None:
        trim(0)
