"""Tests of the live staff page."""
