"""Backups of a platform and the way back: taken while it runs, checked, and restored into an empty folder (docs/operate/backup.md)."""
