"""RRR: a crypto trading daemon whose backtest, paper and live are one program."""

__version__ = "0.3.0"
