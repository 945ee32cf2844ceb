"""Webhooks: CloudEvents over HTTP POST, signed by Standard Webhooks headers.

Source: CloudEvents 1.0.2 structured mode; Standard Webhooks, symmetric signatures (v1); docs/upstream.md.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import ipaddress
import os
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

from gateway import __version__
from gateway.clock import Clock
from gateway.errors import ConfigError
from gateway.forwarders.base import Delivery, DrainConfig
from gateway.forwarders.cloudevents import refuse_omissions

_ANSWER_BYTES_MAX = 65_536
_SECRET_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class UpstreamConfig:
    """One receiver.

    Attributes:
        name: what the outbox calls it; changing it makes it a new receiver.
        url: https, unless it is on loopback or ``allow_http`` is set.
        secret_envs: environment variables that hold ``whsec_…`` secrets; with several, each signs (rotation).
        header_envs: extra headers as ``Name=ENVIRONMENT_VARIABLE``.
        types: event types it wants, such as ``pilegate.bill.*``; all when empty.
        omit: fields of a bill that it must not learn and gets as null: those of ``OMITTABLE``.
        ca_file: PEM of a private authority.
    """

    name: str
    url: str
    secret_envs: tuple[str, ...] = ()
    header_envs: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    omit: tuple[str, ...] = ()
    allow_http: bool = False
    ca_file: str = ""
    timeout_ms: int = 15_000
    connect_timeout_ms: int = 5_000
    drain: DrainConfig = field(default_factory=DrainConfig)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if not self.name or parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("an upstream needs a name and an http or https URL")
        if parts.username or parts.password:
            raise ValueError("no credentials in the URL: use header_envs")
        refuse_omissions(self.omit)
        if parts.scheme == "http" and not self.allow_http and not _is_loopback(parts.hostname):
            raise ValueError("http is for loopback only; use https, or set allow_http")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def decode_secret(text: str) -> bytes:
    """The key in ``whsec_…``. Raises ``ValueError``."""
    try:
        key = base64.b64decode(text.removeprefix(_SECRET_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError("the secret is not base64") from error
    if not text.startswith(_SECRET_PREFIX) or not 16 <= len(key) <= 64:
        raise ValueError(f"the secret is not {_SECRET_PREFIX} and 24 to 64 bytes in base64")
    return key


def sign(keys: Sequence[bytes], event_id: str, timestamp_s: int, body: bytes) -> str:
    """The ``webhook-signature`` header: one signature a key, separated by spaces."""
    content = f"{event_id}.{timestamp_s}.".encode() + body
    digests = (hmac.new(key, content, hashlib.sha256).digest() for key in keys)
    return " ".join("v1," + base64.b64encode(digest).decode() for digest in digests)


def retry_after_ms(value: str | None, now_s: int) -> int | None:
    """A Retry-After header in ms: seconds or an HTTP date, a past one is 0; rubbish is ``None``."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return int(text[:9]) * 1000
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0, int((at - datetime.fromtimestamp(now_s, UTC)).total_seconds()) * 1000)


class WebhookSender:
    """Delivers to one receiver. Raises ``ConfigError`` when a secret or file it was told of is not there."""

    def __init__(self, config: UpstreamConfig, clock: Clock, environment: Mapping[str, str] | None = None) -> None:
        environment = os.environ if environment is None else environment
        self._config = config
        self._clock = clock
        self._keys = [self._key(name, environment) for name in config.secret_envs]
        self._headers = dict(self._header(each, environment) for each in config.header_envs)
        timeout = httpx.Timeout(config.timeout_ms / 1000, connect=config.connect_timeout_ms / 1000)
        self._timeout_s = config.timeout_ms / 1000
        verify: ssl.SSLContext | bool = True
        if config.ca_file:
            try:
                verify = ssl.create_default_context(cafile=config.ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ConfigError(
                    "ca_unusable", f"{config.ca_file}: {error}", path=f"upstream {config.name}"
                ) from error
        self._client = httpx.AsyncClient(timeout=timeout, follow_redirects=False, trust_env=False, verify=verify)

    def _key(self, name: str, environment: Mapping[str, str]) -> bytes:
        path = f"upstream {self._config.name}.secret_envs"
        if name not in environment:
            raise ConfigError("secret_missing", f"the environment variable {name} is not set", path=path)
        try:
            return decode_secret(environment[name])
        except ValueError as error:
            raise ConfigError("secret_unusable", f"{name}: {error}", path=path) from error

    def _header(self, text: str, environment: Mapping[str, str]) -> tuple[str, str]:
        name, _, variable = text.partition("=")
        if not name or variable not in environment:
            path = f"upstream {self._config.name}.header_envs"
            raise ConfigError(
                "header_unusable", f"{text!r}: write Name=VARIABLE with a variable that is set", path=path
            )
        return name, environment[variable]

    async def send(self, event_id: str, body: bytes) -> Delivery:
        """One signed attempt."""
        timestamp_s = self._clock.wall_s()
        headers = {
            **self._headers,
            "content-type": "application/cloudevents+json; charset=utf-8",
            "user-agent": f"pilegate/{__version__}",
            "webhook-id": event_id,
            "webhook-timestamp": str(timestamp_s),
        }
        if self._keys:
            headers["webhook-signature"] = sign(self._keys, event_id, timestamp_s, body)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._post(headers, body)
        except TimeoutError:
            return Delivery(None, f"no answer within {self._config.timeout_ms} ms")
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ssl.SSLError) as error:
            return Delivery(None, f"{type(error).__name__}: {error}"[:500])

    async def _post(self, headers: Mapping[str, str], body: bytes) -> Delivery:
        async with self._client.stream("POST", self._config.url, content=body, headers=dict(headers)) as answer:
            kept = b""
            async for chunk in answer.aiter_raw():
                kept += chunk[: _ANSWER_BYTES_MAX - len(kept)]
                if len(kept) >= _ANSWER_BYTES_MAX:
                    break
        wait_ms = retry_after_ms(answer.headers.get("retry-after"), self._clock.wall_s())
        error = "" if answer.is_success else f"HTTP {answer.status_code}"
        if answer.is_redirect:
            error += f", redirects to {answer.headers.get('location', '?')[:200]}, which is not followed"
        return Delivery(answer.status_code, error, wait_ms, kept.decode("utf-8", "replace"))

    async def close(self) -> None:
        """Close kept connections."""
        await self._client.aclose()
