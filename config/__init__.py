"""Settings as frozen values, logging set-up, and the sample files a company starts from."""
