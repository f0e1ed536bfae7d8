"""The system's libnftables through ctypes: text in, text out, one atomic transaction a call."""

from __future__ import annotations

import ctypes

from shaping.plane import PlaneError

LIBRARY = "libnftables.so.1"
"""Debian package libnftables1; interface as of libnftables 1.0."""

_POINTER_CALLS = ("nft_ctx_buffer_output", "nft_ctx_buffer_error", "nft_ctx_free")
_TEXT_CALLS = ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer")


class Nftables:
    """One context of the library, in the network namespace of the thread that makes it.

    Not for two threads at once: a plane gives it a thread of its own.

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

        # Its socket is opened here, so it belongs to the namespace of this thread for good.
        self._context = self._library.nft_ctx_new(0)
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def close(self) -> None:
        """Give the context and its socket back."""
        context, self._context = self._context, None
        if context:
            self._library.nft_ctx_free(context)

    def run(self, text: str) -> str:
        """Run commands as one transaction and give what they print. Raises `PlaneError`."""
        assert self._context, "a closed context runs nothing"
        failed = self._library.nft_run_cmd_from_buffer(self._context, text.encode())
        said = self._library.nft_ctx_get_error_buffer(self._context).decode(errors="replace")
        output: bytes = self._library.nft_ctx_get_output_buffer(self._context)
        if failed:
            raise PlaneError(f"nftables refused: {said.strip()[:500]}")
        return output.decode(errors="replace")
