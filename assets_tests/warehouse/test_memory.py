import numpy as np
import psutil

from storecast.warehouse.memory import give_back_memory


def test_what_lies_free_between_what_is_used_goes_back_to_the_system():
    process = psutil.Process()
    arrays = [np.ones(10_000) for _ in range(4_000)]  # 320 MB in pieces that the allocator keeps
    kept = arrays[::100]
    del arrays
    before = process.memory_info().rss
    give_back_memory()
    assert process.memory_info().rss < before - 200_000_000
    assert all((array == 1.0).all() for array in kept)
