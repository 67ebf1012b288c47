"""Named sources of randomness which stay put when the simulated period grows."""

import zlib
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Streams:
    """Hands out one generator per purpose, derived from the shop's seed.

    Two rules make a longer run repeat a shorter one day for day: a purpose is drawn from once, in one call, and the
    first axis of that draw is time (or a running number that grows with time). numpy fills arrays in that order, so the
    draw for more days starts with the draw for fewer.
    """

    seed: int

    def of(self, purpose: str) -> np.random.Generator:
        """Return a fresh generator for one purpose; the same seed and purpose give the same numbers.

        >>> three, five = (Streams(7).of("rain").random(days).tolist() for days in (3, 5))
        >>> three == five[:3]
        True
        """
        return np.random.default_rng([self.seed, zlib.crc32(purpose.encode())])
