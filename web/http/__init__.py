"""Between the socket and a page: the edge, the gate, sign-in, forms, refusals, live updates."""
