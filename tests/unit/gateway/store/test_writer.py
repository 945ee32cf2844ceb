import pytest

from gateway.outcome import MeterStopKnown
from gateway.store import Reader, StoreConfig, Writer

WAIT_S = 30


def meter(connector, stop_e4kwh=10):
    return MeterStopKnown("p1", connector, 1_000, stop_e4kwh)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "d" / "pilegate.db"


@pytest.fixture
def make(path):
    writers = []

    def _make(before_commit=None, **keys):
        writer = Writer(StoreConfig(path=str(path), **keys), (), lambda *_: None, before_commit)
        writers.append(writer)
        return writer

    yield _make
    for writer in writers:
        writer.close()


@pytest.fixture
def reader(path):
    reader = Reader(path)
    yield reader
    reader.close()


def test_what_a_commit_rests_on_is_kept_before_it(make, reader):
    seen = []
    writer = make(lambda: seen.append(reader.meter_stops()))
    writer.submit([meter(1)]).result(WAIT_S)
    writer.submit([meter(2)]).result(WAIT_S)
    assert seen == [{}, {("p1", 1): 10}]
    assert reader.meter_stops() == {("p1", 1): 10, ("p1", 2): 10}
