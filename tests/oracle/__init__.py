"""The independent referee of bills: slow, exact, written from the rules and from no line of the engine."""
