"""The errors of the billing core.

::

    BillingError
    ├── IllegalTransition   an event that the session table has no row for
    ├── TariffError         a tariff or campaign that cannot be used: code, path, text
    └── OutOfRange          a number beyond what the engine was proven for

Odd facts of the field are not errors: they are anomalies of the bill, with a code.
"""

from __future__ import annotations


class BillingError(Exception):
    """Root of the tree; ``code`` is stable and meant for programs."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text


class IllegalTransition(BillingError):
    """An event that the table has no row for; nothing was changed."""


class TariffError(BillingError):
    """A tariff or campaign that cannot be used.

    Attributes:
        path: the offending key, such as ``tariff[0].slot[3].to``.
    """

    def __init__(self, code: str, path: str, text: str) -> None:
        super().__init__(code, text)
        self.path = path


class OutOfRange(BillingError):
    """A number beyond its bounds."""
