"""Statements, from bytes that banks might write."""
