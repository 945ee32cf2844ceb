from billing_core.transitions import TRANSITIONS, SessionEvent, State, as_mermaid, as_table


def test_one_row_a_pair():
    pairs = [(state, event) for state, event, _, _ in TRANSITIONS]
    assert len(set(pairs)) == len(pairs)
    assert all(why for _, _, _, why in TRANSITIONS)


def test_every_state_is_reached_and_every_event_moves_something():
    reached, grown = {State.OPENED}, True
    while grown:
        more = {after for state, _, after, _ in TRANSITIONS if state in reached} - reached
        grown = bool(more)
        reached |= more
    assert reached == set(State)
    assert {event for _, event, _, _ in TRANSITIONS} == set(SessionEvent)


def test_a_record_and_a_link_are_taken_in_every_state():
    rows = {(state, event) for state, event, _, _ in TRANSITIONS}
    for event in (SessionEvent.RECORD_RECEIVED, SessionEvent.LINK_LOST, SessionEvent.LINK_RESTORED):
        assert {state for state, moved_by in rows if moved_by is event} == set(State)


def test_the_table_and_the_diagram_say_what_the_rows_say():
    table, diagram = as_table(), as_mermaid()
    lines = table.splitlines()
    assert lines[0].split() == ["state", "event", "next", "why"]
    assert len(lines) == len(TRANSITIONS) + 3
    assert lines[-1] == "states without an exit: "
    for state, event, after, why in TRANSITIONS:
        assert any(line.split()[:3] == [state.name, event.name, after.name] and line.endswith(why) for line in lines)
        arrow = f"    {state.name} --> {after.name}: {event.name}"
        assert (arrow in diagram.splitlines()) is (state is not after)
