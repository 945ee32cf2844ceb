"""The compiled codec against construct, which reads the same declarations slowly: they agree or both refuse."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.errors import FieldError, LocalProtocolError
from tests.support.bodies import bodies, every_layout, misfits, plain, values

LAYOUTS = every_layout()
FEW = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
REFUSED = "refused"


def by_construct(layout, work):
    """construct refuses in many tongues; which one does not matter here."""
    try:
        return work(layout.body)
    except Exception:
        return REFUSED


def by_codec(work, at_most):
    """The codec refuses in its own tongue, and says where."""
    refusal = None
    try:
        return work()
    except (FieldError, LocalProtocolError) as error:
        refusal = error
    assert refusal.code in ("length", "field_missing", "field_unfit")
    assert refusal.field
    assert 0 <= refusal.offset <= at_most
    return REFUSED


@pytest.mark.parametrize("name", LAYOUTS)
@FEW
@given(data=st.data())
def test_both_read_the_same_values_and_write_them_back(name, data):
    layout = LAYOUTS[name]
    body = data.draw(bodies(layout))
    ours = by_codec(lambda: layout.table.read(body), len(body))
    theirs = by_construct(layout, lambda struct: plain(struct.parse(body)))
    if ours == REFUSED:
        assert theirs == REFUSED
        return
    trailing = ours.pop("trailing_hex", "")
    assert ours == theirs
    assert list(ours) == list(theirs)
    assert layout.table.write({**ours, "trailing_hex": trailing}) == body
    assert layout.body.build(theirs) + bytes.fromhex(trailing) == body


@pytest.mark.parametrize("name", LAYOUTS)
@FEW
@given(data=st.data())
def test_both_write_the_same_bytes_and_read_them_back(name, data):
    layout = LAYOUTS[name]
    raw = data.draw(values(layout.body))
    body = layout.table.write(raw)
    assert body == layout.body.build(raw)
    assert layout.table.read(body) == raw


@pytest.mark.parametrize("name", [name for name, layout in LAYOUTS.items() if layout.fields])
@FEW
@given(data=st.data())
def test_both_refuse_what_does_not_fit(name, data):
    layout = LAYOUTS[name]
    raw = data.draw(values(layout.body))
    spoilt = data.draw(st.sampled_from(list(layout.body.subcons)))
    if hasattr(spoilt.subcon, "counter") and data.draw(st.booleans()):
        raw[spoilt.subcon.counter] += 1
    elif data.draw(st.booleans()):
        raw[spoilt.name] = data.draw(misfits(spoilt.subcon))
    else:
        del raw[spoilt.name]
    assert by_construct(layout, lambda struct: struct.build(raw)) == REFUSED
    assert by_codec(lambda: layout.table.write(raw), layout.size + 300) == REFUSED
