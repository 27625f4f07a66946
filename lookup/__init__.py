"""Who is this number, who should ring, what is everyone told? Rules first; cache, database and notices behind them."""
