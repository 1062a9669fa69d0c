"""From taking part to the closing: participants, uploads, bids with their receipts, copies, claims."""
