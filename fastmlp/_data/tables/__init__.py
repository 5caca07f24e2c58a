"""Tables of named columns, of numbers, categories and dates, as the matrices that a network reads."""
