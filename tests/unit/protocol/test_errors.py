import pytest

from protocol import errors


@pytest.mark.parametrize("kind", [errors.FrameError, errors.FieldError, errors.UnexpectedFrame])
def test_what_a_peer_does_wrong_is_one_family(kind):
    error = kind("length", "too short", frame_type=0x3B, field="vin", offset=124)
    assert isinstance(error, errors.RemoteProtocolError)
    assert not isinstance(error, errors.LocalProtocolError)
    assert str(error) == "too short"
    assert (error.code, error.frame_type, error.field, error.offset, error.close_link) == (
        "length",
        0x3B,
        "vin",
        124,
        False,
    )


def test_our_own_mistakes_are_another():
    error = errors.LocalProtocolError("too_long", "200 fit", close_link=True)
    assert isinstance(error, errors.ProtocolError)
    assert not isinstance(error, errors.RemoteProtocolError)
    assert (error.frame_type, error.field, error.offset, error.close_link) == (None, "", None, True)


def test_the_tree_in_the_docstring_is_the_tree():
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.ProtocolError):
            assert name in errors.__doc__
