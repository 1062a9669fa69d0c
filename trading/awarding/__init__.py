"""From the panel's ranking to the archive: awards, contracts."""
