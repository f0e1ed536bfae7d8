"""Namespaces for tests that need real packets."""

from controller.sandbox.lab.namespace import Namespace, NamespaceError

__all__ = ["Namespace", "NamespaceError"]
