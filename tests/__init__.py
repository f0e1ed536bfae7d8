"""Tests mirror the code; see README, "How it is tried"."""
