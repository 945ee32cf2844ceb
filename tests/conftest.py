"""What holds for every test."""

import functools
from collections.abc import Callable, Iterator
from unittest import mock

import pytest
import structlog


def _configure(configure: Callable[..., None], **settings: object) -> None:
    configure(**{**settings, "cache_logger_on_first_use": False})


@pytest.fixture(autouse=True)
def loggers_are_nobodys() -> Iterator[None]:
    """What one test or a command in it sets up for logs is gone with it; a cached logger would stay with its module."""
    with mock.patch("structlog.configure", functools.partial(_configure, structlog.configure)):
        yield
    structlog.reset_defaults()
