"""The way back: what starts a refund, by which rule, with how much interest, approved by whom, to which account."""
