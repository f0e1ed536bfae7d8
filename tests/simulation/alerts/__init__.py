"""Alerts over days: troubles that come and go, of their own accord, by a seed."""
