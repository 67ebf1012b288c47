"""How loops over the days of a series become machine code, for all forecasters in the same way."""

import hashlib
import warnings
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile


class _KeptCode(IndexDataCacheFile):
    """numba's files of compiled code, safe where processes compile side by side or are killed.

    numba numbers data files and writes the index before them: two processes that compile for other types give both
    the same number, and a kill leaves an index that leads to older code. Here a file is named by what it holds and is
    there before the index says so; an entry that another process's index lost is compiled anew.
    """

    def save(self, key: tuple[Any, ...], data: Any) -> None:
        """Keep the code of a signature."""
        name = self._data_name(hashlib.sha256(repr((self._source_stamp, key)).encode()).hexdigest()[:32])
        self._save_data(name, data)
        self._save_index({**self._load_index(), key: name})

    def _data_name(self, content: str) -> str:
        return f"{self._index_name.removesuffix('.nbi')}.{content}.nbc"


class _Cache(FunctionCache):
    """The code of one kernel, kept in such files."""

    def __init__(self, kernel: Callable[..., Any]) -> None:
        super().__init__(kernel)
        self._cache_file = _KeptCode(self._cache_path, self._impl.filename_base, self._impl.locator.get_source_stamp())


def compiled[**Parameters, Result](kernel: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a kernel by numba at its first call, about a second, and keep the code for later processes.

    Sums keep their order (no fast-math), so the numbers are those of the same loop in C, whatever the machine's vector
    width, and do not depend on how many processes or threads share the series; the interpreter's lock is released.
    Kept code lies in `__pycache__` beside the source, or in the user's cache folder where that cannot be written to, or
    where `NUMBA_CACHE_DIR` says. A kernel calls kernels of its own file only: numba sees that code is stale by the
    kernel's own file.
    """
    dispatcher: Any = njit(nogil=True, error_model="numpy")(kernel)
    try:
        dispatcher._cache = _Cache(kernel)  # what its `enable_caching` sets
    except RuntimeError as error:
        if "cannot cache" not in str(error):
            raise
        warnings.warn(
            f"{error}: it is compiled anew in each process; set NUMBA_CACHE_DIR to a folder that can be written to",
            stacklevel=2,
        )
    return dispatcher
