"""`bidhall rehearse`: a centre plays a whole tender with its own people before its first one, in a folder that proves nothing."""
