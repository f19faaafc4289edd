"""A generated world of notes, pictures, users and click logs, with the truth kept beside it."""
