"""The errors of the protocol core.

::

    ProtocolError
    ├── RemoteProtocolError     the peer broke the rules
    │   ├── FrameError          start, length, checksum, too long, encrypted, unknown type
    │   ├── FieldError          a field that no value can be read from, or a body too short for its layout
    │   └── UnexpectedFrame     a frame that only the other side may send
    └── LocalProtocolError      we were about to break them

Each carries data, not only text: a stable ``code``, the frame type, the field's path and its offset in the body.
"""

from __future__ import annotations


class ProtocolError(Exception):
    """Root of the tree.

    Attributes:
        code: stable, for programs.
        frame_type: the type byte, or ``None`` when it is not known.
        field: path of the field, empty when the whole frame is meant.
        offset: byte within the body, or ``None``.
        close_link: whether the link cannot be used further.
    """

    def __init__(
        self,
        code: str,
        text: str,
        *,
        frame_type: int | None = None,
        field: str = "",
        offset: int | None = None,
        close_link: bool = False,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.frame_type = frame_type
        self.field = field
        self.offset = offset
        self.close_link = close_link


class RemoteProtocolError(ProtocolError):
    """The peer broke the rules."""


class FrameError(RemoteProtocolError):
    """A frame that cannot be used as a whole."""


class FieldError(RemoteProtocolError):
    """A body that does not fit its layout."""


class UnexpectedFrame(RemoteProtocolError):
    """A frame that only the other side may send."""


class LocalProtocolError(ProtocolError):
    """We were about to break the rules."""
