"""Who keeps what is sealed: opening officers, the policies they sign, their drills, and those who replace them."""
