"""Schemes, reviews, score sheets, and the outcome they lead to."""
