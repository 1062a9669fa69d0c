"""The expert's desk."""
