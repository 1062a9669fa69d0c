"""The reading side: frozen cards and lists for pages. Nothing below imports it."""
