"""A candle is right and traceable, or it is not there and everybody knows why."""
