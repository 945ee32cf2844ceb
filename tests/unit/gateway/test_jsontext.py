import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.jsontext import json_bytes, json_text

PLAIN = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text()
VALUES = st.recursive(
    PLAIN, lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner), max_leaves=30
)


@given(VALUES)
def test_the_standard_library_writes_the_same(value):
    expected = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert json_text(value) == expected
    assert json_bytes(value) == expected.encode()


def test_keys_keep_their_order():
    assert json_text({"b": 1, "a": ("停", None)}) == '{"b":1,"a":["停",null]}'


def test_what_is_not_plain_is_refused():
    with pytest.raises(TypeError):
        json_text({"a": {1, 2}})
