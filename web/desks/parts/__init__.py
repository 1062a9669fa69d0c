"""What several desks share."""
