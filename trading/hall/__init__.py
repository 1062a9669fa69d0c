"""What an opening shows and keeps beside the protocol: who came, base prices, reading out, papers, files of opened bids."""
