"""Strangers' files: what they are, where they are attached, and the scanner that looks at them before anybody is handed one."""
