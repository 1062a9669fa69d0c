"""Who takes part: organisations, people, roles, keys, registrations, letters."""
