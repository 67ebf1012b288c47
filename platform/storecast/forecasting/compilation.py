"""How loops over the days of a series become machine code, for all forecasters in the same way."""

import warnings
from collections.abc import Callable

from numba import njit


def compiled[**Parameters, Result](kernel: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a kernel by numba at its first call, about a second, and keep the code for later processes.

    Sums keep their order (no fast-math), so the numbers are those of the same loop in C, whatever the machine's vector
    width, and do not depend on how many processes or threads share the series; the interpreter's lock is released.
    Kept code lies in `__pycache__` beside the source, or in the user's cache folder where that cannot be written to, or
    where `NUMBA_CACHE_DIR` says. A kernel calls kernels of its own file only: numba sees that code is stale by the
    kernel's own file.
    """
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(kernel)
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        warnings.warn(
            f"{error}: it is compiled anew in each process; set NUMBA_CACHE_DIR to a folder that can be written to",
            stacklevel=2,
        )
        return njit(nogil=True, error_model="numpy")(kernel)
