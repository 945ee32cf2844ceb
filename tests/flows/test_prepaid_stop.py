"""A charge is stopped before its fee exceeds the balance it was authorised with."""

from tests.support.desk import play


def test_a_charge_is_stopped_when_its_money_ends(now):
    async def story(desk, pile):
        serial = await desk.start(pile, balance="5.00")
        pile.charge(serial, 10_000)  # 1 kWh: 1.90 yuan at the most
        assert await pile.quiet(0x36, 0.3)
        pile.charge(serial, 50_000)  # 5 kWh: above 5 yuan at any hour
        stop = await pile.expect(0x36)
        assert stop.body[7] == 1
        pile.charge(serial, 50_500)
        assert await pile.quiet(0x36, 0.3), "asked once"

    play(now, story)
