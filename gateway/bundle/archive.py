"""A zip that has exactly one form: any byte of it that was altered is seen, headers included.

Members are stored, not compressed, in the order given, with fixed times and no extras. A reader packs what it
read once more and compares, so that there is no byte which could be changed without a difference.
"""

from __future__ import annotations

import binascii
import hashlib
import json
import struct
from collections.abc import Mapping

MANIFEST = "manifest.json"
SEAL = "manifest.sha256"
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION = 20
_UTF8 = 0x0800
_FIRST_DAY = 0x21  # 1980-01-01


class BundleAltered(Exception):
    """A bundle that is not as it was made; the text says where."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """The archive of ``files``, name → content."""
    body, directory = bytearray(), bytearray()
    for name, content in files.items():
        raw = name.encode()
        crc, size, at = binascii.crc32(content), len(content), len(body)
        body += _LOCAL.pack(_LOCAL_MARK, _VERSION, _UTF8, 0, 0, _FIRST_DAY, crc, size, size, len(raw), 0) + raw
        body += content
        directory += _CENTRAL.pack(
            _CENTRAL_MARK, _VERSION, _VERSION, _UTF8, 0, 0, _FIRST_DAY, crc, size, size, len(raw), 0, 0, 0, 0, 0, at
        )
        directory += raw
    count = len(files)
    end = _END.pack(_END_MARK, 0, 0, count, count, len(directory), len(body), 0)
    return bytes(body + directory + end)


def unpack(data: bytes) -> dict[str, bytes]:
    """What ``pack`` packed. Raises ``BundleAltered`` for anything that differs from it in a single byte."""
    files: dict[str, bytes] = {}
    at = 0
    while data[at : at + 4] == _LOCAL_MARK:
        if len(data) < at + _LOCAL.size:
            raise BundleAltered(f"the archive is cut off at byte {at}")
        *_, size, _, name_size, _ = _LOCAL.unpack_from(data, at)
        head = at + _LOCAL.size
        try:
            name = data[head : head + name_size].decode()
        except UnicodeDecodeError as error:
            raise BundleAltered(f"the name of the member at byte {at} is not text") from error
        at = head + name_size + size
        if at > len(data) or name in files:
            raise BundleAltered(f"the member {name!r} is not as it was packed")
        files[name] = data[head + name_size : at]
    again = pack(files)
    if again != data:
        differs = next((n for n, (a, b) in enumerate(zip(again, data, strict=False)) if a != b), min(len(again), at))
        raise BundleAltered(
            f"the archive is not as it was packed, first at byte {differs}; was it unpacked and repacked?"
        )
    return files


def seal(files: Mapping[str, bytes], about: Mapping[str, object]) -> dict[str, bytes]:
    """``files`` with a manifest of their hashes, and the manifest's own hash.

    Args:
        about: what else the manifest says.
    """
    members = [
        {"name": name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for name, content in files.items()
    ]
    manifest = json.dumps({**about, "files": members}, ensure_ascii=False, indent=1).encode() + b"\n"
    return {**files, MANIFEST: manifest, SEAL: f"{hashlib.sha256(manifest).hexdigest()}  {MANIFEST}\n".encode()}


def opened(data: bytes) -> tuple[dict[str, bytes], dict[str, object], str]:
    """(files without manifest, the manifest, its SHA-256) of a sealed bundle. Raises ``BundleAltered``."""
    files = unpack(data)
    try:
        manifest_bytes, sealed = files.pop(MANIFEST), files.pop(SEAL)
    except KeyError as error:
        raise BundleAltered(f"{error.args[0]} is missing: this is no bundle of evidence") from error
    digest = hashlib.sha256(manifest_bytes).hexdigest()
    if sealed != f"{digest}  {MANIFEST}\n".encode():
        raise BundleAltered(f"{MANIFEST} is not the one that was sealed")
    manifest = json.loads(manifest_bytes)
    expected = {each["name"]: each["sha256"] for each in manifest["files"]}
    for name in [*expected, *files]:
        if name not in files or name not in expected:
            raise BundleAltered(f"{name} is {'missing' if name in expected else 'not in the manifest'}")
        if hashlib.sha256(files[name]).hexdigest() != expected[name]:
            raise BundleAltered(f"{name} is not as it was sealed")
    return files, manifest, digest
