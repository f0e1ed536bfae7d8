"""Swahili for the pages of money: payments, exceptions, plans, vouchers, reports, invoices. PURE."""

WORDS: dict[str, str] = {}
