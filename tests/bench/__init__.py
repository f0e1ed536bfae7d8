"""Measurements beside a peer and a limit; run by ``make bench`` (one: ``make bench NAME=crash``).

Each measurement is a module with ``run() -> list[Row]``. Ours, the peer and the limit run
interleaved in the same call; medians are quoted; an oracle that does not trust the code under test
says whether the result was correct. Only ratios are claimed: absolute numbers are one machine's.
"""
