"""Every sentence about money that goes to people by SMS or e-mail, by key, in each language. PURE.

- ``en.py``  English
- ``sw.py``  Kiswahili

A test proves that both tables have the same keys with the same blanks, and that no sentence for an
SMS leaves the GSM 7-bit alphabet. Keys of e-mail begin with ``mail.``.
"""

from __future__ import annotations

from controller.notify.texts import en, sw

TABLES = {"en": en.TEXTS, "sw": sw.TEXTS}
"""The tables by ISO 639-1 code."""
