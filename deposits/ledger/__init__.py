"""Double entry: the chart of accounts and the postings."""
