import hashlib
import io
import json
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.bundle.archive import MANIFEST, SEAL, BundleAltered, opened, pack, seal, unpack

FILES = {"bill.json": b'{"amount": "16.05"}\n', "报文.jsonl": b"68220000", "empty": b""}
SEALED = pack(seal(FILES, {"format": "x"}))


def test_the_archive_is_an_ordinary_zip():
    with zipfile.ZipFile(io.BytesIO(SEALED)) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()[:3]} == FILES


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=20), st.binary(max_size=200)))
def test_what_was_packed_is_unpacked(files):
    assert unpack(pack(files)) == files
    assert list(unpack(pack(files))) == list(files)


def test_a_sealed_bundle_opens_with_its_manifest():
    files, manifest, digest = opened(SEALED)
    assert files == FILES
    assert manifest["format"] == "x"
    assert [each["name"] for each in manifest["files"]] == list(FILES)
    assert digest == hashlib.sha256(unpack(SEALED)[MANIFEST]).hexdigest()


def test_no_byte_anywhere_can_be_altered_unseen():
    """Every byte of headers, names, contents, manifest, seal, directory and end record; every one of its bits."""
    unseen = []
    for at in range(len(SEALED)):
        for bit in range(8):
            altered = bytearray(SEALED)
            altered[at] ^= 1 << bit
            try:
                opened(bytes(altered))
            except BundleAltered:
                continue
            unseen.append((at, bit))
    assert unseen == []


@given(st.data())
def test_nothing_can_be_cut_put_in_or_moved_unseen(data):
    at = data.draw(st.integers(0, len(SEALED)))
    upto = data.draw(st.integers(at, len(SEALED)))
    altered = SEALED[:at] + data.draw(st.binary(max_size=40)) + SEALED[upto:]
    if altered != SEALED:
        with pytest.raises(BundleAltered):
            opened(altered)


def repacked(compression):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, content in unpack(SEALED).items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_an_archive_that_somebody_packed_again_is_told_apart(compression):
    with pytest.raises(BundleAltered):
        opened(repacked(compression))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda files: files.update({"bill.json": b"{}"}), "bill.json is not as it was sealed"),
        (lambda files: files.update(more=b""), "more is not in the manifest"),
        (lambda files: files.pop("empty"), "empty is missing"),
        (lambda files: files.pop(MANIFEST), "is missing: this is no bundle"),
        (lambda files: files.pop(SEAL), "is missing: this is no bundle"),
        (lambda files: files.update({MANIFEST: json.dumps({"files": []}).encode()}), "not the one that was sealed"),
    ],
)
def test_members_that_were_exchanged_are_named(change, said):
    files = unpack(SEALED)
    change(files)
    with pytest.raises(BundleAltered, match=said):
        opened(pack(files))


@pytest.mark.parametrize("data", [b"", b"PK", b"not a zip at all", pack({})])
def test_what_is_no_bundle_is_refused(data):
    with pytest.raises(BundleAltered):
        opened(data)
