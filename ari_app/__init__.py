"""The Stasis application: intercepts a call, has it named and routed, hands it back, and follows it to its end."""
