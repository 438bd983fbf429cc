"""What was seen and what is concluded: the vocabulary every other room speaks. No I/O, no clock, no decisions."""
