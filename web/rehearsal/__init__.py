"""The rehearsal: people who play whole tenders over HTTP, with their own keys, on a clock that is moved by hand."""
