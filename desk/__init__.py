"""The web desk: sign-in, the live page with its pop-ups, cards, the call log, and the API."""
