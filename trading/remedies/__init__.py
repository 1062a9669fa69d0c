"""Objections and challenges against documents, opening and result."""
