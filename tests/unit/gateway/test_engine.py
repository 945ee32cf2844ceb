from billing_core.tariff import Rate
from billing_core.timers import Timers
from gateway.engine import Engine
from gateway.site import Site
from protocol.commands import PileTariff, SendTariff


def test_a_log_may_send_a_tariff_twice_in_one_moment():
    engine = Engine(Site(), Timers(), silence_ms_max=30_000, recall=lambda _: None, is_replay=True)
    for price_e5 in (100_000, 120_000):
        tariff = PileTariff("0100", ((price_e5, 80_000),) * 4, (0,) * 48)
        engine.on_command(SendTariff("p1", None, tariff), 1_000)
    learned = engine.sessions.billing.learned["p1"].in_force(pile_id="p1", station="", at_ms=1_000)
    assert learned.prices_e5[Rate.SHARP] == (120_000, 80_000)
