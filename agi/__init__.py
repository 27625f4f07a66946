"""The same lookup for companies that ask by AGI: a FastAGI server and the classic one-process script."""
