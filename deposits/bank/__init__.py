"""The bank as the money room sees it: what we ask of it, how its statements are read, and a small real one for rehearsals."""
