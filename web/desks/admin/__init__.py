"""The administration: three seats that never meet in one person."""
