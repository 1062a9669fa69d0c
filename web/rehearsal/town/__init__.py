"""The demo town: people for every role, tenders in every stage."""
