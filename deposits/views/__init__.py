"""The reading side of the money: cards, statements, the dossier."""
