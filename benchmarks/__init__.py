"""Benchmarks: each prints ours and a peer's figures from one run; none is a test, none is timed in the suite."""
