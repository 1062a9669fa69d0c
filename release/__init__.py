"""What makes and installs the archive of a release; nothing of it is in the wheel (docs/operate/install.md, docs/decisions/0029)."""
