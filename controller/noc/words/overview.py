"""Swahili for the front page. PURE."""

WORDS: dict[str, str] = {}
