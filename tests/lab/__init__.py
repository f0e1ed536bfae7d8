"""Tests on real packets, in network namespaces that they make."""
