"""Tests of the ``lango`` command."""
