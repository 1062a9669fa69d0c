"""The bidder's desk."""
