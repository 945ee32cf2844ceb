import io
import json

import pytest

from gateway.decode import DONE, WITH_FINDINGS, WRONG_USAGE, decode_sources
from gateway.simulator.aaf5_editions import EDITIONS
from tests.support.frames import fixtures, params
from tests.support.wire import heartbeat

PILE = "55031412782305"
HEARTBEAT = heartbeat(PILE, 2)


def decode(*what, as_json=True, options=frozenset()):
    out, err = io.StringIO(), io.StringIO()
    status = decode_sources(what, as_json=as_json, options=options, out=out, err=err)
    return status, out.getvalue(), err.getvalue()


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def test_a_good_frame_is_told_whole():
    status, out, _ = decode(HEARTBEAT.hex())
    assert status == DONE
    assert objects(out) == [
        {
            "protocol": "ykc",
            "type": "0x03",
            "direction": "up",
            "crc": "modbus-lo-hi",
            "error": None,
            "fields": {"pile_no": PILE, "gun": 2, "gun_status": 0},
        }
    ]


def test_a_wrong_checksum_is_told_with_the_right_one_and_the_fields_are_still_read():
    status, out, _ = decode((HEARTBEAT[:-2] + b"\0\0").hex())
    [found] = objects(out)
    assert status == WITH_FINDINGS
    assert found["crc"] == "bad"
    assert HEARTBEAT[-2:].hex().upper() in found["error"]
    assert found["fields"]["gun"] == 2
    assert found["hex"] == (HEARTBEAT[:-2] + b"\0\0").hex().upper()


def test_a_frame_that_is_cut_off_says_how_many_bytes_are_missing():
    status, out, _ = decode(HEARTBEAT[:-5].hex())
    assert status == WITH_FINDINGS
    assert "5 bytes are missing" in objects(out)[0]["error"]


def test_several_frames_in_one_argument_are_cut_apart():
    status, out, _ = decode((HEARTBEAT + b"\r\n" + HEARTBEAT).hex())
    assert status == DONE
    assert [each["type"] for each in objects(out)] == ["0x03", "0x03"]


def test_what_is_left_behind_the_last_whole_frame_is_told():
    status, out, _ = decode((HEARTBEAT * 2 + HEARTBEAT[:6]).hex())
    assert status == WITH_FINDINGS
    assert [each["error"] is None for each in objects(out)] == [True, True, False]


def test_bytes_may_be_typed_with_blanks_between_them():
    status, out, _ = decode(*HEARTBEAT.hex(" ").split())
    assert status == DONE
    assert len(objects(out)) == 1


def test_what_is_neither_hex_nor_a_file_is_wrong_usage():
    status, out, err = decode("68zz")
    assert status == WRONG_USAGE
    assert out == ""
    assert "neither a file nor hex" in err


def test_hex_and_files_do_not_mix(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text("")
    status, _, err = decode(HEARTBEAT.hex(), str(path))
    assert status == WRONG_USAGE
    assert "not both" in err


def log_of(path, *chunks):
    entries = [
        {"at": "2026-03-03T11:40:16.074+08:00", "link": "10.0.0.5:4001", "dir": side, "hex": data.hex()}
        for side, data in chunks
    ]
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return str(path)


def test_a_log_is_told_with_time_link_and_offset(tmp_path):
    path = log_of(tmp_path / "a.jsonl", ("up", HEARTBEAT[:9]), ("up", HEARTBEAT[9:]))
    status, out, err = decode(path)
    [found] = objects(out)
    assert status == DONE
    assert found["at"] == "2026-03-03T03:40:16.074+00:00"
    assert found["link"] == "10.0.0.5:4001"
    assert found["offset"] > 0
    assert found["type"] == "0x03"
    assert "1 frames, 0 findings" in err


def test_a_frame_seen_going_the_wrong_way_is_a_finding(tmp_path):
    status, out, _ = decode(log_of(tmp_path / "a.jsonl", ("down", HEARTBEAT)))
    assert status == WITH_FINDINGS
    assert "goes up was seen going down" in objects(out)[0]["error"]


def test_noise_and_an_unfinished_frame_in_a_log_are_findings(tmp_path):
    path = log_of(tmp_path / "a.jsonl", ("up", b"\x01\x02" + HEARTBEAT), ("up", HEARTBEAT[:7]))
    status, out, _ = decode(path)
    assert status == WITH_FINDINGS
    errors = [each["error"] for each in objects(out)]
    assert errors == [
        "2 bytes that belong to no frame",
        None,
        "7 bytes at the end are the beginning of a frame, or noise",
    ]


def test_a_damaged_log_is_told_with_file_and_place(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text("{nonsense\n")
    status, _, err = decode(str(path))
    assert status == WITH_FINDINGS
    assert "a.jsonl:0: log_damaged" in err


def test_people_get_names_values_and_units():
    sample = "13" + "00" * 16  # far too short for its type
    status, out, _ = decode(HEARTBEAT.hex(), sample, as_json=False)
    assert status == WITH_FINDINGS
    assert out.startswith(
        "0x03 up, checksum modbus-lo-hi\n  pile_no     55031412782305\n  gun         2\n  gun_status  0\n"
    )
    assert "wrong: byte 0 is 0x13" in out


@pytest.mark.parametrize("fixture", params("ykc"))
def test_every_frame_of_ours_is_told_as_it_was_typed(fixture):
    status, out, _ = decode(fixture["frame_hex"], options=frozenset(fixture.get("options", ())))
    [found] = objects(out)
    assert status == (WITH_FINDINGS if "error" in fixture else DONE)
    assert found["error"] == fixture.get("error")
    assert {key: found[key] for key in ("type", "direction", "crc", "fields")} == {
        key: fixture[key] for key in ("type", "direction", "crc", "fields")
    }


def test_a_length_of_the_body_alone_is_noted_for_programs_and_people():
    [short] = [fixture["frame_hex"] for fixture in fixtures("ykc") if fixture["name"] == "body-alone-length"]
    status, out, _ = decode(short)
    assert status == DONE
    assert objects(out)[0]["note"] == "the length byte 0x09 counts the body alone, 0x0D is right"
    assert "note: the length byte 0x09" in decode(short, as_json=False)[1]


@pytest.mark.parametrize("profile", EDITIONS)
def test_frames_of_every_edition_are_read_without_a_word_on_which_it_is(profile):
    edition = EDITIONS[profile]
    for body in (edition.status, edition.record):
        status, out, _ = decode(body.frame({"pile_id": b"P1", "gun": 2, "energy": 4_321}, 9).hex())
        [found] = objects(out)
        assert (status, found["error"], found["direction"]) == (DONE, None, "up"), found
        assert (found["fields"]["pile_id"], found["fields"]["energy"]) == ("P1", 4_321)
