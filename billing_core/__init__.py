"""Energy, time and fee of charging sessions: integers only, no clock, no file, no chance."""
