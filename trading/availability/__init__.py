"""Whether the platform could be reached before a deadline: probes, the verdict, and what follows from a fault."""
