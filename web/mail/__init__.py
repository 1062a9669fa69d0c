"""Letters: where they go (settings), what stands in them, and how they are handed to a mail server."""
