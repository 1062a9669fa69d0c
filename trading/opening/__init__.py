"""The opening protocol: the set, officers' shares, decryption, verdicts, the list, findings and rescue."""
