"""The company's records: customers and their numbers, people and phones, tasks, and the log of calls."""
