import pytest

from gateway.framelog import hex_bytes


@pytest.mark.parametrize(
    "text", ["680caB", "68 0C AB", " 68\n0c\tab ", "0x680xC0"[:4] + " 0x0c 0xAB", "68:0c-ab", "68,0c;ab"]
)
def test_spellings(text):
    assert hex_bytes(text) == b"\x68\x0c\xab"


@pytest.mark.parametrize(("text", "reason"), [("68g", "'g'"), ("680", "half a byte"), ("６８", "not a hex digit")])
def test_refusals_say_what_is_wrong(text, reason):
    with pytest.raises(ValueError, match=reason):
        hex_bytes(text)


def test_nothing_is_nothing():
    assert hex_bytes(" ") == b""
