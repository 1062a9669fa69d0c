"""A real browser walks the served demo town, desk by desk, each to its last page. See README.md beside this file."""
