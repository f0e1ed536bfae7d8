"""Tests of how a machine becomes a gateway by one command."""
