"""This module packs an answer that stays the same: its bytes, their tag, and the same bytes compressed."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass

#: Bytes below which compressing is not worth it.
SMALL = 1_024


@dataclass(frozen=True)
class Packed:
    """A Packed holds bytes that are ready to send.

    Attributes:
        content: as they are.
        kind: their media type.
        tag: by which a browser knows that it has them.
        gzip: compressed, where that is worth it.
    """

    content: bytes
    kind: str
    tag: str
    gzip: bytes | None = None

    @classmethod
    def of(cls, content: bytes, kind: str = "application/json", *, compress: bool = True) -> Packed:
        """Tags bytes by what they hold, and compresses them."""
        tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        small = gzip.compress(content, 6, mtime=0) if compress and len(content) > SMALL else None
        return cls(content, kind, tag, small if small is not None and len(small) < len(content) else None)
