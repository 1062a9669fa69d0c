"""Collusion clues over opened bids: pure indicators. A clue starts an inquiry by people; none of them is a verdict."""
