"""The desk of purchaser and agency."""
