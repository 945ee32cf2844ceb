"""A problem is a value, and light to load."""

import subprocess
import sys

from gateway.api.problem import Problem, body_of, not_found


def test_a_problem_has_its_members():
    problem = body_of(409, "pile_offline", "it is away", order_id="o1")
    assert problem == {
        "type": "urn:pilegate:problem:pile_offline",
        "title": "pile offline",
        "status": 409,
        "detail": "it is away",
        "order_id": "o1",
    }
    assert not_found("bill x").detail == "bill x does not exist"
    assert (Problem(409, "x", "y", z=1).extra, str(Problem(409, "x", "y"))) == ({"z": 1}, "y")


def test_the_command_line_loads_no_web_framework():
    code = "import sys, gateway.cli; sys.exit('fastapi' in sys.modules or 'uvicorn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
