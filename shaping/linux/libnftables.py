"""The system's libnftables through ctypes: text in, text out, one atomic transaction a call."""

from __future__ import annotations

import ctypes

from shaping.plane import PlaneError

LIBRARY = "libnftables.so.1"
"""Debian package libnftables1; interface as of libnftables 1.0."""

_POINTER_CALLS = ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free")
_TEXT_CALLS = ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer")


class Nftables:
    """One context of the library. Not for two threads at once: a plane gives it one of its own.

    Raises `PlaneError` when the library is not installed.
    """

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise PlaneError(f"{LIBRARY} is not installed: {error}", retry=False) from error
        self._library.nft_ctx_new.restype = ctypes.c_void_p
        self._library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        self._library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        for name in _POINTER_CALLS:
            getattr(self._library, name).argtypes = [ctypes.c_void_p]
        for name in _TEXT_CALLS:
            getattr(self._library, name).argtypes = [ctypes.c_void_p]
            getattr(self._library, name).restype = ctypes.c_char_p

    def run(self, text: str) -> str:
        """Run commands as one transaction and give what they print. Raises `PlaneError`."""
        # A context caches the ruleset it saw; a fresh one for each call sees what is there now.
        context = self._library.nft_ctx_new(0)
        try:
            self._library.nft_ctx_buffer_output(context)
            self._library.nft_ctx_buffer_error(context)
            failed = self._library.nft_run_cmd_from_buffer(context, text.encode())
            if failed:
                said = self._library.nft_ctx_get_error_buffer(context).decode(errors="replace")
                raise PlaneError(f"nftables refused: {said.strip()[:500]}")
            output: bytes = self._library.nft_ctx_get_output_buffer(context)
            return output.decode(errors="replace")
        finally:
            self._library.nft_ctx_free(context)
