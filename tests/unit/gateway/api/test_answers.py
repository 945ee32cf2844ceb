"""The shapes of answers say exactly what is in them."""

from pydantic import BaseModel

from gateway.api import answers


def test_shapes_are_closed_and_described():
    for name, kind in vars(answers).items():
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind is not BaseModel:
            assert kind.__doc__, name
            is_open = kind in (answers.Problem, answers.Bill, answers.SessionDetail)
            assert is_open or kind.model_config.get("extra") == "forbid", name


def test_a_route_that_answers_in_a_shape():
    told = answers.shown(answers.Order, 202)
    assert told == {"response_model": None, "status_code": 202, "responses": {202: {"model": answers.Order}}}
