"""The sentences of alerts, by language: what is wrong, who is concerned, and what else is said.

``en`` and ``sw`` (both PURE) hold the same keys; a test says so. The Swahili wants a native
speaker's review.
"""

from controller.alerts.texts import en, sw

TABLES = {"en": en.TEXTS, "sw": sw.TEXTS}
