"""SQL of the records: accounts, audit, reviews, patients and all else that people entered."""
